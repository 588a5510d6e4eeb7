"""The moving average."""

import pytest
import torch
from settings import config
from small_training import trained

from genlab.callbacks import EMA
from genlab.commands.load import read_checkpoint
from genlab.config.build import build


class Waiting:
    """A trainer between two updates of the average."""

    global_step, sanity_checking = 3, False


class Due(Waiting):
    global_step = 4


@pytest.fixture
def model():
    return build(config("model=gan", "model.generator.width=4").model)


def averaging(model, **options) -> EMA:
    ema = EMA(**options)
    ema.setup(None, model, "fit")  # type: ignore[arg-type]
    return ema


def test_after_one_half_life_half_of_the_old_average_stays():
    ema = EMA(half_life=1000, ramp_up=1.0)
    ema.images_averaged = 100_000
    assert ema.decay(1000) == pytest.approx(0.5)
    assert ema.decay(100) ** 10 == pytest.approx(0.5)


def test_early_on_the_half_life_is_a_share_of_the_images_seen():
    ema = EMA(half_life=1000, ramp_up=0.05)
    assert ema.decay(64) == 0.0  # nothing seen yet: the average is the newest weights
    ema.images_averaged = 2000
    assert ema.decay(100) == pytest.approx(0.5)


def test_a_step_moves_the_average_by_its_share(model):
    ema = averaging(model, half_life=64, ramp_up=1.0)
    ema.images_averaged, model.images_seen = 640, 704
    before = next(ema.average.module["generator"].parameters()).clone()
    with torch.no_grad():
        for parameter in model.generator.parameters():
            parameter.add_(1.0)
    ema.on_train_batch_end(Due(), model, None, None, 0)  # type: ignore[arg-type]
    after = next(ema.average.module["generator"].parameters())
    torch.testing.assert_close(after, before + 0.5)


def test_between_updates_the_average_rests_and_then_forgets_for_all_images_since(model):
    ema = averaging(model, half_life=64, ramp_up=1.0)
    ema.images_averaged = 640
    before = next(ema.average.module["generator"].parameters()).clone()
    with torch.no_grad():
        for parameter in model.generator.parameters():
            parameter.add_(1.0)
    model.images_seen = 672
    ema.on_train_batch_end(Waiting(), model, None, None, 0)  # type: ignore[arg-type]
    assert torch.equal(next(ema.average.module["generator"].parameters()), before)
    model.images_seen = 704
    ema.on_train_batch_end(Due(), model, None, None, 0)  # type: ignore[arg-type]
    after = next(ema.average.module["generator"].parameters())
    torch.testing.assert_close(after, before + 0.5)  # one half-life of 64 images


@pytest.mark.parametrize("half_life", [100.0, 10_000.0], ids=["a recent average", "one that has hardly moved"])
def test_averaged_weights_under_spectral_normalisation_have_a_norm_of_one(half_life):
    """The mean of two unit vectors is shorter than one, and the norm of a weight that is divided by it larger."""
    ema = EMA(half_life=half_life, ramp_up=1e9, every_n_steps=1)
    fast = ("model.optimizer.lr=0.02", "model.encoder.width=8", "trainer.max_epochs=6")
    model, _ = trained("vae", "model.encoder.spectral_norm=true", *fast, callbacks=[ema])
    mine, theirs = (normalised(encoder) for encoder in (ema.average.module["encoder"].eval(), model.encoder))
    norms = [torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() for layer in mine]
    assert norms == pytest.approx([1.0] * 4, abs=0.02)
    lags = [(a - b).abs().max().item() for a, b in zip(map(original, mine), map(original, theirs), strict=True)]
    assert min(lags) > 0.01


def normalised(network):
    return [layer for layer in network.modules() if hasattr(layer, "parametrizations")]


def original(layer):
    return layer.parametrizations.weight.original


def test_an_evaluation_sees_the_average_and_training_goes_on_with_the_raw_weights(model):
    ema = averaging(model)
    with torch.no_grad():
        for parameter in model.generator.parameters():
            parameter.zero_()
    ema.on_validation_start(Due(), model)  # type: ignore[arg-type]
    assert model.weights_in_use == "ema"
    assert any(parameter.abs().sum() > 0 for parameter in model.generator.parameters())
    ema.on_validation_end(None, model)  # type: ignore[arg-type]
    assert model.weights_in_use == "raw"
    assert all(parameter.abs().sum() == 0 for parameter in model.generator.parameters())


def added(model, value: float) -> None:
    with torch.no_grad():
        for parameter in model.generator.parameters():
            parameter.add_(value)


def first(ema) -> torch.Tensor:
    return next(ema.average.module["generator"].parameters())


def test_an_evaluation_that_finds_no_update_since_the_one_before_makes_one_of_all_that_waits(model):
    ema = averaging(model, half_life=64, ramp_up=1.0, every_n_steps=1000)
    ema.images_averaged = ema.images_evaluated = 640
    model.images_seen = 768
    before = first(ema).clone()
    added(model, 1.0)
    ema.on_validation_start(Due(), model)  # type: ignore[arg-type]
    ema.on_validation_end(None, model)  # type: ignore[arg-type]
    torch.testing.assert_close(first(ema), before + 0.75)  # two half-lives of 64 images
    assert (ema.images_averaged, ema.images_evaluated) == (768, 768)
    ema.on_validation_start(Due(), model)  # type: ignore[arg-type]
    ema.on_validation_end(None, model)  # type: ignore[arg-type]
    torch.testing.assert_close(first(ema), before + 0.75)


def test_an_evaluation_that_finds_an_update_leaves_the_average_as_it_is(model):
    ema = averaging(model, half_life=64, ramp_up=1.0)
    ema.images_averaged, ema.images_evaluated, model.images_seen = 640, 384, 768
    before = first(ema).clone()
    added(model, 1.0)
    ema.on_validation_start(Due(), model)  # type: ignore[arg-type]
    ema.on_validation_end(None, model)  # type: ignore[arg-type]
    assert torch.equal(first(ema), before)
    assert (ema.images_averaged, ema.images_evaluated) == (640, 640)


def test_before_the_first_update_a_checkpoint_holds_the_newest_weights(model):
    ema = averaging(model, every_n_steps=1000)
    model.images_seen = 64
    added(model, 1.0)
    checkpoint = {"callbacks": {}}
    ema.on_save_checkpoint(None, model, checkpoint)  # type: ignore[arg-type]
    newest = model.state_dict()
    assert all(torch.equal(value, newest[name]) for name, value in checkpoint["ema"].items())
    assert checkpoint["callbacks"]["EMA"] == ema.state_dict()


def test_an_error_within_an_evaluation_brings_the_raw_weights_back(model):
    ema = averaging(model)
    ema.on_validation_start(Due(), model)  # type: ignore[arg-type]
    ema.on_exception(None, model, RuntimeError())  # type: ignore[arg-type]
    assert model.weights_in_use == "raw"


def test_only_the_networks_that_make_images_are_averaged(gan_run):
    checkpoint = read_checkpoint(gan_run.path / "checkpoints" / "last.ckpt")
    assert {name.split(".")[0] for name in checkpoint["ema"]} == {"generator"}
    assert checkpoint["ema"].keys() <= checkpoint["state_dict"].keys()
    assert any(not torch.equal(value, checkpoint["state_dict"][name]) for name, value in checkpoint["ema"].items())
