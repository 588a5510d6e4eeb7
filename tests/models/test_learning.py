"""That training leads somewhere."""

import pytest
import torch
from brightness import Brightness
from populations import population
from settings import config, options

from genlab.config.build import build
from genlab.images import to_float, to_uint8
from genlab.metrics.population import frechet
from genlab.models import BiGAN
from genlab.protocols import Reconstructs


@torch.no_grad()
def distances(model, images) -> dict[str, float]:
    """How far samples are from the data in brightness and contrast, and reconstructions from their originals."""
    model.eval()
    reference, fake = images, to_uint8(model.sample(300, torch.Generator().manual_seed(0)))
    found = {"samples": frechet(*(population(part, Brightness()) for part in (reference, fake)))}
    if isinstance(model, Reconstructs) and not isinstance(model, BiGAN):  # which never compares an image with its own
        x = to_float(images[:100])
        found["reconstructions"] = (x - model.reconstruct(x)).square().mean().item()
    model.train()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", options("model"))
def test_a_short_training_brings_samples_and_reconstructions_much_nearer_to_the_data(name):
    quick = ["model.perceptual_weight=0"] if "perceptual" in config(f"model={name}").model else []
    cfg = config(
        f"model={name}",
        *quick,
        "trainer=cpu",
        "data.size=16",
        "data.limit=1000",
        "data.batch_size=32",
        "trainer.max_epochs=6",
    )
    torch.manual_seed(0)
    model, data = build(cfg.model), build(cfg.data)
    before = distances(model, data.images("test"))
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    build(cfg.trainer, **quiet).fit(model, data)
    after = distances(model, data.images("test"))
    assert after["samples"] < before["samples"] / 4
    assert all(after[kind] < before[kind] / 2 for kind in after)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_autoencoder_with_a_long_code_does_not_turn_all_images_black(seed):
    """Without a bound on its codes it does, on all of these seeds: a tanh that saturates passes no gradient."""
    torch.manual_seed(seed)
    cfg = config("model=ae", "model.latent_dim=32", "data.limit=1000")
    model, data = build(cfg.model), build(cfg.data)
    optimizer, images = model.configure_optimizers(), to_float(data.images("train"))
    black = (images + 1).square().flatten(1).sum(1).mean()
    for _ in range(60):
        optimizer.zero_grad()
        loss = model.losses(images[torch.randint(len(images), (64,))])["loss"]
        loss.backward()
        optimizer.step()
    assert loss < black / 2
