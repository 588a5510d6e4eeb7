"""Scores and pictures: that they are right, and that they change nothing."""

import os
import signal

import pytest
import torch
from brightness import Brightness
from lightning.pytorch import Trainer
from populations import population
from settings import TINY, config

from genlab.callbacks import FrechetDistance, Summary
from genlab.callbacks.pictures import above
from genlab.config.build import build
from genlab.errors import UsageError
from genlab.images import to_uint8
from genlab.metrics.frechet import frechet_with_influence
from genlab.metrics.population import frechet as frechet_distance
from genlab.run.summary import read_summary


def fitted(cfg, callbacks):
    torch.manual_seed(0)
    model, data = build(cfg.model), build(cfg.data)
    trainer: Trainer = build(cfg.trainer, callbacks=callbacks, logger=False, enable_checkpointing=False)
    trainer.progress_bar_callback.disable()  # type: ignore[union-attr]
    trainer.fit(model, data)
    return model, data, trainer


@pytest.mark.parametrize("name", ["ae", "vae", "gan"])
def test_measuring_leaves_weights_random_state_mode_and_gradients_as_it_found_them(name, tmp_path):
    """A run that is scored and drawn at every epoch ends bit for bit where one without any callback ends."""
    cfg = config(*TINY, f"model={name}", "trainer.max_epochs=3", run_dir=tmp_path)
    plain, _, _ = fitted(cfg, [])
    plain_state = torch.get_rng_state()
    sampling = cfg.callbacks.samples
    sampling.every_n_epochs = 1
    callbacks = [
        build(cfg.callbacks.ema),
        build(sampling),
        FrechetDistance(Brightness(), 20, every_n_epochs=1),
    ]
    if name != "gan":
        callbacks.append(build(cfg.callbacks.reconstructions))
    measured, _, trainer = fitted(cfg, callbacks)
    assert "val/fd_brightness" in trainer.callback_metrics
    assert torch.equal(torch.get_rng_state(), plain_state)
    assert measured.training == plain.training
    for (key, value), same in zip(plain.state_dict().items(), measured.state_dict().values(), strict=True):
        assert torch.equal(value, same), key


def test_the_score_is_the_distance_of_exactly_the_seeds_samples_to_the_reference():
    cfg = config(*TINY, "model=vae")
    frechet = FrechetDistance(Brightness(), n_samples=30, batch_size=7, reference="val", seed=5)
    model, data, trainer = fitted(cfg, [frechet])
    with torch.no_grad():
        samples = to_uint8(model.sample(30, torch.Generator().manual_seed(5)))
    expected = frechet_distance(*(population(images, Brightness(), 11) for images in (data.images("val"), samples)))
    assert trainer.callback_metrics["val/fd_brightness"].item() == pytest.approx(expected, rel=1e-5)
    assert [frechet.protocol[field] for field in ("encoder", "layer", "resize", "library")] == [
        "brightness",
        "pixels",
        "none",
        "tests",
    ]
    assert frechet.protocol["n_fake"] == 30
    assert frechet.protocol["n_real"] == 64
    assert frechet.protocol["split"] == "val"
    assert frechet.protocol["weights"] == "raw"


def test_the_score_has_its_standard_error_over_samples_unless_there_are_too_many_to_keep(monkeypatch, tmp_path):
    score = FrechetDistance(Brightness(), n_samples=30, reference="val", seed=5)
    model, data, trainer = fitted(config(*TINY, "model=vae"), [score, Summary(str(tmp_path))])
    fake = to_uint8(model.sample(30, torch.Generator().manual_seed(5)))
    features = Brightness()(fake)
    reals, fakes = (population(images, Brightness(), 11).moments for images in (data.images("val"), fake))
    _, influence = frechet_with_influence(reals, fakes, features)
    expected = pytest.approx((influence.std() / 30**0.5).item(), rel=1e-4)
    assert trainer.callback_metrics["val/fd_brightness_error"].item() == expected
    assert read_summary(tmp_path)["score"]["error"] == expected
    monkeypatch.setattr("genlab.callbacks.frechet.MOST_KEPT", 29)
    _, _, trainer = fitted(config(*TINY, "model=vae"), [score, Summary(str(tmp_path))])
    assert "val/fd_brightness_error" not in trainer.callback_metrics
    assert "error" not in read_summary(tmp_path)["score"]


def test_a_score_is_measured_every_n_epochs_and_at_the_end():
    epochs = []

    class Remember(FrechetDistance):
        def _measure(self, trainer, pl_module):
            epochs.append(trainer.current_epoch + 1)
            return 0.0

    fitted(config(*TINY, "trainer.max_epochs=5"), [Remember(Brightness(), every_n_epochs=2)])
    assert epochs == [2, 4, 5]


def test_a_run_that_max_steps_ends_within_an_epoch_is_scored_too():
    frechet = FrechetDistance(Brightness(), n_samples=10)
    for model in ("vae", "gan"):
        _, _, trainer = fitted(config(*TINY, f"model={model}", "trainer.max_steps=2"), [frechet])
        assert trainer.global_step == 2
        assert frechet.score is not None


def test_an_unknown_reference_lists_the_splits():
    with pytest.raises(UsageError, match=r"Valid: test, train, train\+val, val\."):
        fitted(config(*TINY), [FrechetDistance(Brightness(), reference="trian")])


def test_a_gan_asked_for_reconstructions_is_refused_before_training():
    cfg = config(*TINY, "model=gan", "callbacks=reconstructions")
    with pytest.raises(UsageError, match=r"GAN has none.*~callbacks\.reconstructions"):
        fitted(cfg, [build(cfg.callbacks.reconstructions)])


def test_each_image_stands_above_its_own_reconstruction():
    x = torch.arange(6.0).view(6, 1, 1, 1)
    assert above(x, -x, 3).flatten().tolist() == [0, 1, 2, -0.0, -1, -2, 3, 4, 5, -3, -4, -5]
    assert above(x, -x, 4).flatten().tolist() == [0, 1, 2, 3, -0.0, -1, -2, -3]
    assert len(above(x, -x, 8)) == 12


def test_a_run_that_is_told_to_end_ends_in_the_middle_of_a_score():
    n_described = []

    class Slow(Brightness):
        def __call__(self, images):
            n_described.append(len(images))
            os.kill(os.getpid(), signal.SIGTERM)
            return super().__call__(images)

    frechet = FrechetDistance(Slow(), n_samples=60, batch_size=8)
    with pytest.raises(SystemExit):
        fitted(config(*TINY), [frechet])
    assert n_described == [8]
