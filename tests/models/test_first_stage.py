"""KLGAN and VQGAN: what is descended, the adapted weight of D, and when D plays."""

import pytest
import torch
from settings import TINY, config
from torch import nn

from genlab.callbacks import FrechetDistance
from genlab.commands.train import train
from genlab.config.build import build
from genlab.errors import UsageError
from genlab.metrics import EfficientNetLite0
from genlab.models.first_stage import last_layer
from genlab.protocols import HasCodebook

SMALL = ("data.size=8", *(f"model/{role}=mlp" for role in ("encoder", "decoder", "discriminator")))
NARROW = tuple(f"model.{role}.width=8" for role in ("encoder", "decoder", "discriminator"))
BOTH = pytest.mark.parametrize("name", ["klgan", "vqgan"])


class SumOfDifferences:
    """A distance by hand, in place of a network's."""

    name = "differences"

    def __call__(self, x, x_hat):
        return (x - x_hat).flatten(1).sum(1).abs()


def small(name: str, *overrides: str):
    torch.manual_seed(0)
    model = build(config(f"model={name}", *SMALL, *NARROW, "model.latent_shape=[2,2,2]", *overrides).model)
    model.perceptual = SumOfDifferences()
    return model


class Constant(nn.Module):
    """Makes one and the same image of every code."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))

    def forward(self, z):
        return self.value.expand(len(z), 1, 8, 8)


@BOTH
def test_the_loss_is_the_absolute_and_the_perceptual_distance_summed_over_pixels_and_a_penalty_on_the_code(name):
    """64 pixels that are 0.5 apart: 32, and a distance of 32 for each of 64 pixels, with a weight of 0.1."""
    model = small(name, "model.perceptual_weight=0.1").eval()
    model.decoder = Constant(0.5)
    x_hat, terms = model.reconstruction_terms(torch.zeros(3, 1, 8, 8), None)
    assert x_hat.shape == (3, 1, 8, 8)
    assert terms["l1"].item() == pytest.approx(32)
    assert terms["perceptual"].item() == pytest.approx(32)
    assert terms["nll"].item() == pytest.approx(32 + 0.1 * 64 * 32)
    assert terms["loss"].item() == pytest.approx((terms["nll"] + terms["code_loss"]).item())
    penalty, weight = ("kl", "kl_weight") if name == "klgan" else ("commitment", "commitment")
    assert terms["code_loss"].item() == pytest.approx(getattr(model, weight) * terms[penalty].item())


class Scalar(nn.Module):
    """A decoder of one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[2.0]]))


@BOTH
def test_the_weight_of_d_is_the_ratio_of_gradients_at_the_last_layer(name):
    """Of 6 w and 0.5 w: 6 / (0.5 + 1e-4), times 0.25; and at most 1e4 times that where D has no gradient."""
    model = small(name, "model.adversarial_weight=0.25")
    model.decoder = Scalar()
    w = model.decoder.weight.sum()
    assert model.adapted_weight(6 * w, 0.5 * w).item() == pytest.approx(0.25 * 6 / 0.5001)
    assert model.adapted_weight(600 * w, 1e-9 * w).item() == pytest.approx(0.25 * 1e4)
    assert not model.adapted_weight(6 * w, 0.5 * w).requires_grad


@pytest.mark.parametrize("decoder", ["conv", "mlp", "pooling", "r3", "resnet", "spatial"])
@pytest.mark.parametrize("condition", ["none", "class"])
def test_the_last_layer_makes_the_image(decoder, condition):
    """So a step of it changes every image, and the layer's rows or columns are the image's channels or pixels."""
    overrides = ("data.size=16", f"model/decoder={decoder}", "model.decoder.width=16", f"model/condition={condition}")
    network = build(config("model=klgan", "model/encoder=mlp", "model/discriminator=mlp", *overrides).model).decoder
    (layer,) = [module for module in network.modules() if getattr(module, "weight", None) is last_layer(network)]
    made = []
    layer.register_forward_hook(lambda module, inputs, output: made.append(output))
    network.eval()(torch.randn(2, 4, 4, 4))
    assert made[0].flatten(1).shape == (2, 256)


def trained(name, path, *overrides):
    cfg = config(*TINY, f"model={name}", *SMALL, *NARROW, "callbacks=checkpoint", *overrides, run_dir=path)
    train(cfg)
    return torch.load(path / "checkpoints" / "last.ckpt", weights_only=True)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_d_plays_from_a_batch_on_that_is_counted_in_batches(accumulate, tmp_path):
    """Each batch steps two optimisers once D plays: counted in steps, it would play from batch 2 on already.

    Adam counts the steps of D: 1 of batches 0 to 3, which with two batches an update is that of batches 2 and 3.
    """
    options = ("trainer.max_steps=4", f"model.accumulate={accumulate}", "model.d_start=3")
    _, discriminator = trained("klgan", tmp_path, *options)["optimizer_states"]
    assert {int(state["step"]) for state in discriminator["state"].values()} == {1}


def test_d_plays_after_a_quarter_of_the_run_if_nothing_else_is_said(tmp_path):
    _, discriminator = trained("klgan", tmp_path, "trainer.max_steps=4")["optimizer_states"]
    assert {int(state["step"]) for state in discriminator["state"].values()} == {3}


@BOTH
def test_a_d_that_would_never_play_is_refused_before_training(name, tmp_path):
    with pytest.raises(UsageError, match=r"model\.d_start=4 is beyond the 4 batches of this run.*model\.d_start=1"):
        trained(name, tmp_path, "trainer.max_steps=4", "model.d_start=4")


def test_a_run_does_not_go_on_with_another_perceptual_distance_and_is_scored_by_its_own():
    model = small("klgan")
    assert model.trained_on == ("differences",)
    model.on_load_checkpoint({"images_seen": 0, "global_step": 0, "trained_on": ["lpips_alexnet"]})
    assert model.trained_on == ("lpips_alexnet",)
    with pytest.raises(UsageError, match="trained on lpips_alexnet, and here differences would take its place"):
        model.on_train_start()


@pytest.mark.parametrize(("model", "trained_on"), [("klgan", "efficientnet_lite0"), ("vae", None)])
def test_a_score_in_the_features_that_were_trained_on_says_so(model, trained_on):
    cfg = config(*TINY, f"model={model}", *SMALL[:3], *NARROW[:2])
    score = FrechetDistance(EfficientNetLite0(), n_samples=8)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    build(cfg.trainer, callbacks=[score], max_steps=1, **quiet).fit(build(cfg.model), build(cfg.data))
    assert score.protocol.get("trained_on") == trained_on


def test_the_prior_of_a_klgan_has_the_moments_of_its_codes(generator):
    model = small("klgan").train()
    for _ in range(3):
        model.follow(3 + 2 * torch.randn(2000, 2, 2, 2, generator=generator))
    mean, std = model.prior_moments()
    torch.testing.assert_close(mean, torch.full_like(mean, 3.0), atol=0.1, rtol=0)
    torch.testing.assert_close(std, torch.full_like(std, 2.0), atol=0.1, rtol=0)
    codes = model.prior(4000, generator)
    torch.testing.assert_close(codes.std(0), std, atol=0.1, rtol=0)


def test_the_prior_of_a_codebook_draws_entries_as_often_as_training_images_had_them_at_each_place(generator):
    """Entry 3 at the first place of all images, entries 1 and 2 half of the time each at the others."""
    model = small("vqgan")
    assert isinstance(model, HasCodebook)
    indices = torch.tensor([[3, 1, 2, 1], [3, 2, 1, 2]])
    model.count(indices)
    drawn = model.to_indices(model.prior(4000, generator))
    assert (drawn[:, 0] == 3).all()
    shares = (drawn[:, 1:] == 1).float().mean(0)
    torch.testing.assert_close(shares, torch.full_like(shares, 0.5), atol=0.03, rtol=0)
    assert set(drawn[:, 1:].unique().tolist()) == {1, 2}
    mean, std = model.prior_moments()
    codes = model.from_indices(drawn)
    torch.testing.assert_close(codes.mean(0), mean, atol=0.05, rtol=0)
    torch.testing.assert_close(codes.std(0), std, atol=0.05, rtol=0)
