"""The moving average."""

import pytest
import torch
from settings import config

from genlab.callbacks import EMA
from genlab.runs.build import build
from genlab.runs.load import read_checkpoint


@pytest.fixture
def model():
    return build(config("model=gan", "model.generator.width=4").model)


def averaging(model, **options) -> EMA:
    ema = EMA(**options)
    ema.setup(None, model, "fit")  # type: ignore[arg-type]
    return ema


def test_after_one_half_life_half_of_the_old_average_stays():
    ema = EMA(half_life=1000, ramp_up=1.0)
    ema.images_seen = 100_000
    assert ema.decay(1000) == pytest.approx(0.5)
    assert ema.decay(100) ** 10 == pytest.approx(0.5)


def test_early_on_the_half_life_is_a_share_of_the_images_seen():
    ema = EMA(half_life=1000, ramp_up=0.05)
    assert ema.decay(64) == 0.0  # nothing seen yet: the average is the newest weights
    ema.images_seen = 2000
    assert ema.decay(100) == pytest.approx(0.5)


def test_a_step_moves_the_average_by_its_share(model):
    class OneProcess:
        world_size, global_step = 1, 4

    ema = averaging(model, half_life=64, ramp_up=1.0)
    ema.images_seen = 640
    before = next(ema.average.module["generator"].parameters()).clone()
    with torch.no_grad():
        for parameter in model.generator.parameters():
            parameter.add_(1.0)
    ema.on_train_batch_end(OneProcess(), model, None, (torch.zeros(64, 1), None), 0)  # type: ignore[arg-type]
    after = next(ema.average.module["generator"].parameters())
    torch.testing.assert_close(after, before + 0.5)


def test_between_updates_the_average_rests_and_then_forgets_for_all_images_since(model):
    class Waiting:
        world_size, global_step = 1, 3

    class Due(Waiting):
        global_step = 4

    ema = averaging(model, half_life=64, ramp_up=1.0)
    ema.images_seen = 640
    batch = (torch.zeros(32, 1), None)
    before = next(ema.average.module["generator"].parameters()).clone()
    with torch.no_grad():
        for parameter in model.generator.parameters():
            parameter.add_(1.0)
    ema.on_train_batch_end(Waiting(), model, None, batch, 0)  # type: ignore[arg-type]
    assert torch.equal(next(ema.average.module["generator"].parameters()), before)
    ema.on_train_batch_end(Due(), model, None, batch, 0)  # type: ignore[arg-type]
    after = next(ema.average.module["generator"].parameters())
    torch.testing.assert_close(after, before + 0.5)  # one half-life of 64 images


def test_an_evaluation_sees_the_average_and_training_goes_on_with_the_raw_weights(model):
    ema = averaging(model)
    with torch.no_grad():
        for parameter in model.generator.parameters():
            parameter.zero_()
    ema.on_validation_start(None, model)  # type: ignore[arg-type]
    assert model.weights_in_use == "ema"
    assert any(parameter.abs().sum() > 0 for parameter in model.generator.parameters())
    ema.on_validation_end(None, model)  # type: ignore[arg-type]
    assert model.weights_in_use == "raw"
    assert all(parameter.abs().sum() == 0 for parameter in model.generator.parameters())


def test_an_error_within_an_evaluation_brings_the_raw_weights_back(model):
    ema = averaging(model)
    ema.on_validation_start(None, model)  # type: ignore[arg-type]
    ema.on_exception(None, model, RuntimeError())  # type: ignore[arg-type]
    assert model.weights_in_use == "raw"


def test_only_the_networks_that_make_images_are_averaged(gan_run):
    checkpoint = read_checkpoint(gan_run.path / "checkpoints" / "last.ckpt")
    assert {name.split(".")[0] for name in checkpoint["ema"]} == {"generator"}
    assert checkpoint["ema"].keys() <= checkpoint["state_dict"].keys()
    assert any(not torch.equal(value, checkpoint["state_dict"][name]) for name, value in checkpoint["ema"].items())
