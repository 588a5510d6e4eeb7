"""Every model with every network, on one or the other of two shapes of images and of codes, as configured."""

from functools import cache
from itertools import cycle

import pytest
import torch
from settings import TINY, config, options

from genlab.commands.load import load_run
from genlab.commands.train import train
from genlab.config.build import build
from genlab.protocols import Averageable, Reconstructs, Samples

SHAPES = [
    ("data=digits", "data.size=28", "model.latent_dim=3"),
    ("data=shapes", "data.size=17", "data.channels=3", "data.source.n_images=200", "model.latent_shape=[2,4,4]"),
]
ROLES = ("encoder", "decoder", "generator", "discriminator", "code_discriminator")


@cache
def roles(model: str) -> list[str]:
    """The network roles of a model."""
    return [role for role in ROLES if role in config(f"model={model}").model]


def combinations() -> list[tuple[str, ...]]:
    """Overrides for each model and each network in each of its roles, the other roles being played by small MLPs."""
    found = {}
    for model in options("model"):
        for role in roles(model):
            for name in options(f"model/{role}"):
                chosen = dict.fromkeys(roles(model), "mlp") | {role: name}
                found[model, *chosen.values()] = (
                    f"model={model}",
                    *(f"model/{role}={name}" for role, name in chosen.items()),
                    *(f"model.{role}.width=8" for role in chosen),
                )
    return list(found.values())


@pytest.mark.parametrize(
    ("combination", "shape"),
    list(zip(combinations(), cycle(SHAPES), strict=False)),  # in turn: tests/networks has every network on many shapes
    ids=lambda overrides: ",".join(o for o in overrides if "width" not in o and "source" not in o),
)
def test_it_trains_samples_and_comes_back_from_its_checkpoint_with_the_same_samples(combination, shape, tmp_path):
    few = ("trainer.max_steps=2", "callbacks=checkpoint")
    cfg = config(*TINY, *combination, *shape, *few, run_dir=tmp_path)
    train(cfg)
    loaded, again = (load_run(str(run)).model for run in (tmp_path, tmp_path / "checkpoints" / "last.ckpt"))
    with torch.no_grad():
        x, same = (model.sample(4, torch.Generator().manual_seed(0)) for model in (loaded, again))
    assert x.shape == (4, *cfg.data.image_shape)
    assert x.abs().max() <= 1
    assert torch.equal(x, same)
    trained_weights, untrained = loaded.state_dict(), build(cfg.model).state_dict()
    assert any(not torch.equal(trained_weights[name], untrained[name]) for name in untrained)


@pytest.mark.parametrize("name", options("model"))
def test_every_model_fulfils_its_protocols(name, generator):
    model = build(config(f"model={name}").model)
    assert isinstance(model, Samples)
    assert isinstance(model, Averageable)
    assert model.prior(5, generator).shape == (5, model.latent_dim)
    if isinstance(model, Reconstructs):
        x = torch.zeros(2, *model.image_shape)
        assert model.encode(x).shape == (2, model.latent_dim)
        assert torch.equal(model.reconstruct(x), model.reconstruct(x))


@pytest.mark.parametrize("name", options("model"))
def test_the_same_seed_gives_the_same_samples_and_another_seed_others(name):
    model = build(config(f"model={name}").model)
    first, same, other = (model.sample(3, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
