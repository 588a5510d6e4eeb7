"""Named settings: each composes, and builds its model and its data module."""

import pytest
import torch
from settings import config, options

from genlab.config.build import build


@pytest.mark.parametrize("name", options("experiment"))
def test_every_experiment_builds_what_it_names(name):
    cfg = config(f"experiment={name}")
    model, data = build(cfg.model), build(cfg.data)
    assert model.image_shape == data.image_shape
    callbacks = [build(node) for node in cfg.callbacks.values() if "frechet" not in node["_target_"].lower()]
    assert callbacks
    if "celeba" in name:
        assert (cfg.data.crop, model.image_shape) == (148, (3, 64, 64))


@pytest.mark.parametrize("name", [name for name in options("experiment") if not name.startswith(("digits", "lecture"))])
def test_every_published_setting_is_scored_as_its_source_was(name):
    cfg = config(f"experiment={name}")
    if "mnist" not in name:
        assert cfg.features["_target_"].endswith("Inception")
    if "cifar10" in name:
        assert (cfg.callbacks.frechet.n_samples, cfg.callbacks.frechet.reference) == (50_000, "train")
        assert cfg.data.val_share == 0  # all 50,000 training images are the reference


def n_weights(network):
    """All entries of matrices and kernels: biases, and scales of normalisations, apart."""
    return sum(p.numel() for p in network.parameters() if p.ndim > 1)


def residual(*widths):
    """Weights of SNGAN's D after its first block: 3x3, 3x3, 1x1 where map or channels change; and the linear layer.

    Each width is a pair of channels, and whether the block halves.
    """
    blocks = sum(9 * a * a + 9 * a * b + (a * b if halves or a != b else 0) for a, b, halves in widths)
    return blocks + widths[-1][1]


DCGAN_32 = 16 * (256 * 512 + 512 * 1024)  # what xyf's G and D have in common
DCGAN_64 = 16 * (128 * 256 + 256 * 512 + 512 * 1024)
FIRST = {width: 9 * 3 * width + 9 * width * width + 3 * width for width in (64, 128)}
DOUBLING = [(64, 128, True), (128, 256, True), (256, 512, True), (512, 1024, True)]


@pytest.mark.parametrize(
    ("name", "generator", "discriminator"),
    [
        ("xyf_dcgan_cifar10", DCGAN_32 + 16 * (100 * 1024 + 256 * 3), DCGAN_32 + 16 * (3 * 256 + 1024)),
        ("mmgen_lsgan_celeba64", DCGAN_64 + 16 * (100 * 1024 + 128 * 3), DCGAN_64 + 16 * (3 * 128 + 1024)),
        (
            "mimicry_sngan_cifar10",
            128 * 256 * 16 + 3 * 19 * 256 * 256 + 9 * 256 * 3,
            FIRST[128] + residual((128, 128, True), (128, 128, False), (128, 128, False)),
        ),
        ("mimicry_sngan_64", None, FIRST[64] + residual(*DOUBLING)),
        ("mimicry_sngan_128", None, FIRST[64] + residual(*DOUBLING, (1024, 1024, False))),
    ],
)
def test_published_networks_have_as_many_weights_as_those_of_their_sources(name, generator, discriminator):
    with torch.device("meta"):
        model = build(config(f"experiment={name}").model)
    assert n_weights(model.discriminator) == discriminator
    assert generator in (None, n_weights(model.generator))


def test_the_networks_of_r3gan_are_as_large_as_the_authors():
    with torch.device("meta"):
        model = build(config("experiment=r3gan_cifar10").model)
    millions = [
        sum(p.numel() for p in network.parameters()) / 1e6 for network in (model.generator, model.discriminator)
    ]
    assert millions == [pytest.approx(20.73, abs=0.005), pytest.approx(20.68, abs=0.005)]


@pytest.mark.parametrize(
    ("name", "learning_rate", "betas", "d_steps", "batch_size"),
    [
        ("xyf_dcgan_cifar10", 8e-4, [0.5, 0.999], 5, 512),
        ("xyf_wgan_gp_cifar10", 8e-4, [0.5, 0.9], 5, 512),
        ("mimicry_sngan_cifar10", 2e-4, [0.0, 0.9], 5, 64),
        ("mimicry_sngan_64", 2e-4, [0.0, 0.9], 5, 64),
        ("mimicry_sngan_128", 2e-4, [0.0, 0.9], 2, 64),
        ("mmgen_lsgan_celeba64", 1e-3, [0.5, 0.99], 1, 128),
        ("pythae_aae_celeba64", 3e-4, [0.9, 0.999], 1, 100),
        ("r3gan_cifar10", 2e-4, [0.0, 0.99], 1, 512),
    ],
)
def test_published_settings_train_by_the_numbers_of_their_sources(name, learning_rate, betas, d_steps, batch_size):
    cfg = config(f"experiment={name}")
    optimizer = cfg.model.optimizer
    assert (optimizer.lr, optimizer.betas) == (learning_rate, betas)
    assert (cfg.model.d_steps, cfg.data.batch_size) == (d_steps, batch_size)


def test_published_discriminators_have_the_normalisation_of_their_sources():
    normalised = {
        name: [type(m).__name__ for m in build(config(f"experiment={name}").model).discriminator.modules()]
        for name in ("xyf_dcgan_cifar10", "mmgen_lsgan_celeba64", "mimicry_sngan_cifar10")
    }
    assert [modules.count("BatchNorm2d") for modules in normalised.values()] == [2, 3, 0]
    assert normalised["mimicry_sngan_cifar10"].count("_SpectralNorm") == 2 * 4 + 2 + 1  # 3x3, 1x1 and linear
