"""Named settings: each composes, and builds its model and its data module."""

from itertools import pairwise

import pytest
import torch
from settings import config, options

from genlab.config.build import build
from genlab.networks import DrawnBatchNorm


@pytest.mark.parametrize("name", options("experiment"))
def test_every_experiment_builds_what_it_names(name):
    cfg = config(f"experiment={name}")
    model, data = build(cfg.model), build(cfg.data)
    assert model.image_shape == data.image_shape
    callbacks = [build(node) for node in cfg.callbacks.values() if "frechet" not in node["_target_"].lower()]
    assert callbacks
    if "celeba" in name:
        corner = [148, 148, 40, 15]  # of tqch's crop, five rows below the middle
        assert (cfg.data.crop, model.image_shape) == (corner if "tqch" in name else 148, (3, 64, 64))


OWN = ("benchmark", "digits", "lecture")  # of no source


@pytest.mark.parametrize("name", [name for name in options("experiment") if not name.startswith(OWN)])
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
        model = build(config("experiment=r3gan_cifar10", "model/condition=none", "~model.condition.width").model)
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
        ("r3gan_cifar10", 2e-4, [0.0, 0.9], 1, 512),  # where they start
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
    assert [modules.count("DrawnBatchNorm") for modules in normalised.values()] == [2, 3, 0]
    assert normalised["mimicry_sngan_cifar10"].count("_SpectralNorm") == 2 * 4 + 2 + 1  # 3x3, 1x1 and linear


@pytest.mark.parametrize(
    ("name", "mean", "std"), [("xyf_dcgan_cifar10", 1.0, 0.02), ("mmgen_lsgan_celeba64", 0.0, 1.0)]
)
def test_scales_of_normalisation_are_drawn_as_in_the_source(name, mean, std):
    torch.manual_seed(0)
    model = build(config(f"experiment={name}", "model.generator.width=128").model)
    for network, n_layers in ((model.discriminator, len(model.discriminator.layers) // 3 - 1), (model.generator, 3)):
        scales = torch.cat([m.weight for m in network.modules() if isinstance(m, DrawnBatchNorm)])
        assert len(scales) > n_layers
        assert scales.mean().item() == pytest.approx(mean, abs=0.1)
        assert scales.std().item() == pytest.approx(std, rel=0.1)


PUBLISHED = [name for name in options("experiment") if not name.startswith(("digits", "lecture", "benchmark"))]
IN_EPOCHS = {"tqch": 50, "pythae_aae": 100, "pythae_vae": 500, "pythae_iwae": 3280}


@pytest.mark.parametrize("name", PUBLISHED)
def test_only_r3gan_scores_an_average_of_its_weights(name):
    assert ("ema" in config(f"experiment={name}").callbacks) == (name == "r3gan_cifar10")


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_settings_train_for_as_long_as_their_sources(name):
    cfg = config(f"experiment={name}")
    for prefix, n_epochs in IN_EPOCHS.items():
        if name.startswith(prefix):
            assert (cfg.trainer.max_epochs, cfg.trainer.max_steps) == (n_epochs, -1)
            return
    assert cfg.trainer.max_epochs == -1
    n_steps, n_images = cfg.trainer.max_steps // cfg.model.d_steps, cfg.trainer.max_steps * cfg.data.batch_size
    if name.startswith("mmgen"):
        assert n_images == 12_800_000
    elif not name.startswith("r3gan"):
        assert n_steps == (40_000 if name.startswith("xyf") else 100_000)  # of G
    if name in ("mimicry_sngan_cifar10", "mimicry_sngan_64"):  # linearly to zero, at the end
        assert (cfg.model.scheduler.end_factor, cfg.model.scheduler.total_iters) == (0.0, cfg.trainer.max_steps)


@pytest.mark.parametrize(
    ("name", "n_batches", "epochs", "gamma"),
    [
        ("pythae_vae_binary_mnist", 50_000 // 100, [200, 350], 10 ** (-1 / 5)),
        ("pythae_iwae_binary_mnist", 50_000 // 20, [2, 5, 14, 28, 41, 122, 365, 1094], 10 ** (-1 / 7)),
    ],
)
def test_likelihoods_are_trained_with_the_milestones_of_their_source(name, n_batches, epochs, gamma):
    cfg = config(f"experiment={name}")
    assert cfg.model.scheduler.milestones == [n_batches * epoch for epoch in epochs]
    assert cfg.model.scheduler.gamma == pytest.approx(gamma)
    assert cfg.data.name == "binary_mnist"


def test_published_settings_have_the_other_numbers_of_their_sources():
    cfg = {name: config(f"experiment={name}") for name in PUBLISHED}
    on_fakes_of_its_own = [name for name in PUBLISHED if name.startswith(("xyf", "mimicry", "mmgen", "r3gan"))]
    assert [name for name in PUBLISHED if cfg[name].model.get("fresh")] == on_fakes_of_its_own
    flipped = [name for name in PUBLISHED if cfg[name].data.flip]
    assert flipped == ["r3gan_cifar10", *(name for name in PUBLISHED if name.startswith(("tqch", "xyf")))]
    every_image = [name for name in PUBLISHED if cfg[name].data.get("partition") == "all"]
    assert every_image == [n for n in PUBLISHED if n.startswith(("mimicry_sngan_64", "mimicry_sngan_128", "tqch"))]
    assert cfg["mimicry_sngan_cifar10"].model.generator.upsampling == "bilinear"
    vae = cfg["tqch_vae_celeba64"].model
    assert (vae.likelihood.sigma, vae.optimizer.lr, vae.optimizer.betas) == (0.70710678, 5e-4, [0.5, 0.999])
    vaegan = cfg["tqch_vaegan_celeba64"].model
    assert (vaegan.optimizer.lr, set(vaegan.learning_rates.values())) == (5e-4, {2.5e-4})
    aae, loss_on_unit_range = cfg["pythae_aae_celeba64"].model, 0.05 / 2 / 4  # distances there are a quarter of ours
    assert aae.learning_rates.discriminator == 1e-3
    assert aae.adversarial_weight == 0.5 / loss_on_unit_range
    iwae = cfg["pythae_iwae_binary_mnist"].model
    assert (iwae.optimizer.lr, iwae.optimizer.eps, iwae.n_importance, iwae.latent_dim) == (1e-3, 1e-4, 50, 50)


def test_r3gan_changes_by_a_cosine_over_20_million_images_what_its_authors_change():
    cfg = config("experiment=r3gan_cifar10")
    by_hand = {"lr": (2e-4, 5e-5), "beta2": (0.9, 0.99), "r1": (0.05, 0.005), "r2": (0.05, 0.005), "augment": (0, 0.55)}
    scheduled = {name: build(node) for name, node in cfg.model.schedules.items()}
    scheduled["half-life"], by_hand["half-life"] = build(cfg.callbacks.ema).half_life, (0, 5e6)
    for name, schedule in scheduled.items():
        start, end = by_hand[name]
        values = [schedule(images) for images in (0, 10e6, 20e6, 30e6)]
        assert values == pytest.approx([start, (start + end) / 2, end, end]), name
    assert build(cfg.callbacks.ema).ramp_up is None
    assert (cfg.model.augment.target, cfg.model.augment.colour, cfg.model.augment.cutout) == (None, 0.5, 1.0)
    assert (cfg.model.condition["_target_"], cfg.model.condition.width) == ("genlab.conditions.Classes", 64)


def test_pythaes_aae_halves_its_learning_rates_at_30_epochs_and_divides_them_by_five_at_50():
    cfg = config("experiment=pythae_aae_celeba64")
    epoch = 162_770 // cfg.data.batch_size * cfg.data.batch_size  # full batches
    for name, start in (("autoencoder_lr", 3e-4), ("discriminator_lr", 1e-3)):
        schedule = build(cfg.model.schedules[name])
        values = [schedule(n * epoch + rest) for n, rest in ((0, 0), (30, -1), (30, 0), (50, -1), (50, 0), (99, 0))]
        assert values == pytest.approx([start * factor for factor in (1, 1, 0.5, 0.5, 0.2, 0.2)])


def mlp(*widths):
    return sum(i * o + o for i, o in pairwise(widths))


@pytest.mark.parametrize(
    ("name", "encoder", "decoder"),
    [
        ("pythae_vae_binary_mnist", (784, 400, 80), (40, 400, 784)),
        ("pythae_iwae_binary_mnist", (784, 200, 200, 100), (50, 200, 200, 784)),
    ],
)
def test_published_perceptrons_have_the_layers_of_their_sources(name, encoder, decoder):
    model = build(config(f"experiment={name}").model)
    for network, widths in ((model.encoder, encoder), (model.decoder, decoder)):
        assert sum(p.numel() for p in network.parameters()) == mlp(*widths)
