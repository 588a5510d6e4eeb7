"""Every model with every network, on one or the other of two shapes of images and of codes, as configured."""

from functools import cache
from itertools import cycle
from typing import Any

import pytest
import torch
from layouts import celeba_in
from settings import TINY, config, options

from genlab.commands.load import load_run
from genlab.commands.train import train
from genlab.config.build import build
from genlab.protocols import Averageable, Reconstructs, Samples

DIGITS = ("data=digits", "data.size=28", "model.latent_dim=3")
SHAPES = ("data=shapes", "data.size=17", "data.channels=3", "data.source.n_images=200", "model.latent_shape=[2,4,4]")
FACES = ("data=celeba", "data.size=17", "data.root=${paths.data_dir}/faces", "model.latent_dim=3")
TOLD = [  # a condition, and data that have such labels
    ("none", DIGITS),
    ("value", SHAPES),
    ("class", DIGITS),
    ("none", SHAPES),
    ("attributes", FACES),
]
UNNAMED = ("width", "weight", "source", "root")  # overrides that the names of the cases leave out
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
                    *(["model.perceptual_weight=0"] if "perceptual" in config(f"model={model}").model else []),
                )
    return list(found.values())


def cases() -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Each combination with data and a condition, which each model has in turn: each model has each of them."""
    by_model: dict[str, list[tuple[str, ...]]] = {}
    for combination in combinations():
        by_model.setdefault(combination[0], []).append(combination)
    return [
        (combination, (f"model/condition={condition}", *data))
        for found in by_model.values()
        for combination, (condition, data) in zip(found, cycle(TOLD), strict=False)
    ]


def quick_and_slow() -> list[Any]:
    """The cases, of which those are quick in which a model, or a network in its role, comes for the first time."""
    met: set[str] = set()
    marked = []
    for combination, told in cases():
        parts = {part for part in combination if "weight" not in part and "width" not in part}
        marked.append(pytest.param(combination, told, marks=[] if parts - met else [pytest.mark.slow]))
        met |= parts
    return marked


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    celeba_in(folder / "faces")
    return folder


def test_every_model_meets_every_condition():
    met = {(combination[0], told[0]) for combination, told in cases()}
    assert met == {(f"model={m}", f"model/condition={c}") for m in options("model") for c in options("model/condition")}


@pytest.mark.parametrize(
    ("combination", "told"),
    quick_and_slow(),  # tests/networks has every network on many shapes
    ids=lambda overrides: ",".join(o for o in overrides if not any(word in o for word in UNNAMED)),
)
def test_it_trains_samples_and_comes_back_from_its_checkpoint_with_the_same_samples(
    combination, told, data_dir, tmp_path
):
    few = ("trainer.max_steps=2", "callbacks=checkpoint", f"paths.data_dir={data_dir}")
    cfg = config(*TINY, *combination, *told, *few, run_dir=tmp_path)
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
    assert model.prior(5, generator).shape == (5, *model.latent_shape)
    if isinstance(model, Reconstructs):
        x = torch.zeros(2, *model.image_shape)
        assert model.encode(x).shape == (2, *model.latent_shape)
        assert torch.equal(model.reconstruct(x), model.reconstruct(x))


@pytest.mark.parametrize("name", options("model"))
def test_the_same_seed_gives_the_same_samples_and_another_seed_others(name):
    model = build(config(f"model={name}").model)
    first, same, other = (model.sample(3, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
