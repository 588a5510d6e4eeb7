"""Collapsed, spoilt and healthy runs, each trained for a moment."""

import json
import logging
from math import log

import pytest
import torch
from lightning.pytorch import Callback
from settings import TINY, config, options
from small_training import trained
from typed import type_in

from genlab.callbacks import Health
from genlab.callbacks.health import loss_balance
from genlab.commands.load import read_checkpoint
from genlab.config.build import build
from genlab.protocols import HasCodebook, Reconstructs

LEARNS = ("data.limit=1000", "data.batch_size=32", "trainer.max_epochs=4")  # enough for samples that vary, where
LEARNS_FAST = ("model/encoder=conv", "model/decoder=conv", "model.optimizer.lr=2.0e-3")  # a VAE has these
GOOD = {"diversity": 0.8, "distinctness": 0.7, "saturation": 0.0, "non_finite": 0.0}
ALIKE = GOOD | {"diversity": 0.01}


class Scripted(Health):
    """Measures the values of a list, one set a validation."""

    def __init__(self, dirpath, values, **options):
        super().__init__(str(dirpath), grace=0, **options)
        self.values = iter(values)

    def _measured(self, trainer, pl_module):
        return dict(next(self.values))


class FewCodes(Callback):
    """Freezes what the decoder is given to two codes, or to one."""

    def __init__(self, n: int) -> None:
        self.n = n

    def on_fit_start(self, trainer, pl_module):
        prior, n = pl_module.prior, self.n

        def few(*args):
            codes = prior(*args)[:, :1].sign() if n == 2 else torch.ones_like(prior(*args)[:, :1])
            return codes.expand(-1, pl_module.latent_dim)

        pl_module.prior = few


class Spoil(Callback):
    """Makes the weights of a network NaN before the last validation."""

    def on_validation_start(self, trainer, pl_module):
        with torch.no_grad():
            next(pl_module.decoder.parameters()).fill_(float("nan"))


def signs(health):
    return {warning["sign"] for warning in health.warnings}


def summary(path):
    return json.loads((path / "summary.json").read_text())["health"]


def test_a_vae_whose_kl_term_outweighs_all_else_is_said_to_have_collapsed(tmp_path, caplog):
    health = Health(str(tmp_path), grace=3000)
    trained("vae", *LEARNS, *LEARNS_FAST, "model.beta=1.0e+4", callbacks=[health])
    assert signs(health) == {"samples_collapsed", "codes_collapsed"}
    assert "all samples look alike (diversity 0.0" in caplog.text
    assert "the code hardly depends on the image (0 active units)" in caplog.text
    assert "model.beta" in caplog.text


def test_the_same_vae_without_that_weight_is_healthy(tmp_path, caplog):
    health = Health(str(tmp_path), grace=3000)
    trained("vae", *LEARNS, *LEARNS_FAST, "model.likelihood.sigma=0.3", callbacks=[health])
    assert signs(health) == set()
    assert "health:" not in caplog.text
    assert summary(tmp_path)["status"] == "good"
    assert summary(tmp_path)["newest"]["active_units"] == 16


@pytest.mark.parametrize(("n_codes", "sign"), [(1, "samples_collapsed"), (2, "samples_repeat")])
def test_a_gan_that_only_makes_one_image_or_two_is_said_to_have_collapsed(n_codes, sign, tmp_path, caplog):
    health = Health(str(tmp_path), grace=0, max_accuracy=1, min_diversity=1e-9)  # about what it repeats, not how early
    trained("gan", callbacks=[FewCodes(n_codes), health])
    assert signs(health) == {sign}
    assert "model.objective.penalties.r1=r1" in caplog.text


@pytest.mark.slow
def test_the_same_gan_with_codes_from_its_prior_is_healthy(tmp_path):
    health = Health(str(tmp_path), grace=3000)
    trained("gan", *LEARNS, callbacks=[health])
    assert signs(health) == set()
    assert {"d_accuracy_real", "d_accuracy_fake", "grad_norm_generator"} < health_values(tmp_path)


def health_values(path):
    return summary(path)["newest"].keys()


@pytest.mark.parametrize(("patience", "won"), [(2, {"d_won"}), (5, set())])
def test_a_discriminator_wins_if_it_errs_nowhere_on_several_validations_in_a_row(patience, won, tmp_path):
    """Against a generator that can't move, on data that it can tell from noise."""
    frozen = ("trainer.max_epochs=4", "data.limit=200", "+model.learning_rates.generator=1.0e-12")
    health = Health(str(tmp_path), grace=0, patience=patience, min_diversity=0, min_distinctness=0)
    trained("gan", *frozen, callbacks=[health])
    assert signs(health) == won
    assert summary(tmp_path)["newest"]["d_accuracy_fake"] == 1


def test_the_balance_of_the_losses_rises_while_d_gains_the_upper_hand():
    undecided = loss_balance({"d_loss": torch.tensor(2 * log(2)), "g_loss": torch.tensor(log(2))})
    assert undecided["loss_balance"] == pytest.approx(-1 / 3)
    assert loss_balance({"d_loss": 0.0, "g_loss": 5.0})["loss_balance"] == 1
    assert loss_balance({"d_loss": -3.0, "g_loss": 1.0})["loss_balance"] == 1  # a critic's losses have any sign
    assert loss_balance({"d_loss": 4.0, "g_loss": 0.0})["loss_balance"] == -1
    assert loss_balance({"d_loss": 0.0, "g_loss": 0.0})["loss_balance"] == 0
    assert loss_balance({"loss": 1.0}) == {}


@pytest.mark.parametrize("objective", ["wasserstein", "relativistic"])
def test_a_loss_without_a_boundary_has_no_accuracies(objective, tmp_path):
    trained("gan", f"model/objective={objective}", callbacks=[Health(str(tmp_path))])
    assert not any(name.startswith("d_") for name in health_values(tmp_path))


def test_samples_that_are_no_numbers_count_at_once(tmp_path):
    health = Health(str(tmp_path), grace=10**9)
    trained("ae", callbacks=[Spoil(), health])
    assert signs(health) == {"non_finite"}
    assert summary(tmp_path)["newest"]["diversity"] is None  # JSON has no NaN
    assert summary(tmp_path)["newest"]["non_finite"] == 1


def test_until_the_grace_is_over_nothing_else_counts(tmp_path):
    health = Scripted(tmp_path, [ALIKE] * 3)
    health.grace = 128
    trained("vae", "trainer.max_epochs=3", callbacks=[health])  # 64 images an epoch
    assert [warning["images_seen"] for warning in health.warnings] == [128]


def test_a_sign_is_warned_of_once_and_again_after_it_has_gone(tmp_path, caplog):
    health = Scripted(tmp_path, [ALIKE, ALIKE, GOOD, ALIKE, ALIKE])
    trained("vae", "trainer.max_epochs=5", callbacks=[health])
    assert [warning["epoch"] for warning in health.warnings] == [1, 4]
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 2
    assert summary(tmp_path)["status"] == "warned"
    assert summary(tmp_path)["warnings"][0] == {
        "sign": "samples_collapsed",
        "value": 0.01,
        "message": health.warnings[0]["message"],
        "epoch": 1,
        "images_seen": 64,
    }


@pytest.mark.parametrize(
    ("stop_after", "values", "epochs"),
    [
        (3, [GOOD, ALIKE, ALIKE, ALIKE, GOOD, GOOD], 4),
        (3, [ALIKE, ALIKE, GOOD, ALIKE, ALIKE, GOOD], 6),
        (None, [ALIKE] * 6, 6),
        (1, [GOOD | {"saturation": 0.9}] * 6, 6),  # which may mend
    ],
)
def test_a_hopeless_run_stops_after_so_many_validations_in_a_row(stop_after, values, epochs, tmp_path, caplog):
    _, trainer = trained("vae", "trainer.max_epochs=6", callbacks=[Scripted(tmp_path, values, stop_after=stop_after)])
    assert trainer.global_step == 4 * epochs
    assert summary(tmp_path)["stopped"] is (epochs < 6)
    assert ("training stops after epoch 4: samples_collapsed for 3 validations in a row" in caplog.text) is (epochs < 6)


@pytest.mark.slow
def test_two_processes_stop_together(tmp_path):
    few = ("data.limit=32", "data.batch_size=8", "trainer.max_epochs=5", "callbacks=health", "hydra.run.dir=run")
    sure = ("callbacks.health.grace=0", "callbacks.health.stop_after=2", "callbacks.health.min_diversity=1000")
    result = type_in("train", *few, *sure, "trainer=ddp_cpu", cwd=tmp_path, OMP_NUM_THREADS="1")
    assert result.returncode == 0, result.stderr
    assert summary(tmp_path / "run")["stopped"]
    assert summary(tmp_path / "run")["warnings"][0]["sign"] == "samples_collapsed"
    assert (result.stdout + result.stderr).count("training stops after epoch 2") == 1


@pytest.mark.parametrize("name", ["ae", "vae", "gan", "aae"])
def test_watching_leaves_weights_random_state_and_mode_as_it_found_them(name, tmp_path):
    states = []
    for callbacks in ([], [Health(str(tmp_path), grace=0)]):
        model, _ = trained(name, "trainer.max_epochs=2", "trainer.log_every_n_steps=1", callbacks=callbacks)
        states.append((model.state_dict(), torch.get_rng_state(), model.training))
    (plain, plain_random, plain_mode), (watched, watched_random, watched_mode) = states
    assert torch.equal(watched_random, plain_random)
    assert watched_mode == plain_mode
    for key, value in plain.items():
        assert torch.equal(value, watched[key]), key


@pytest.mark.parametrize("name", options("model"))
def test_every_model_is_watched(name, tmp_path):
    few = ("trainer.max_steps=2", "trainer.log_every_n_steps=1")
    model, trainer = trained(name, *few, callbacks=[Health(str(tmp_path))])
    expected = {*GOOD, *(f"grad_norm_{network}" for network, module in model.named_children() if has_weights(module))}
    expected |= {"active_units"} if isinstance(model, Reconstructs) else set()
    players = {"d_accuracy_real", "d_accuracy_fake", "loss_balance"}
    expected |= players if "val/d_loss" in trainer.callback_metrics else set()
    expected |= {"codes_used"} if isinstance(model, HasCodebook) else set()
    assert health_values(tmp_path) == expected
    elsewhere = {"d_accuracy_real", "d_accuracy_fake", "codes_used", "non_finite"}
    logged = {f"health/{key}" for key in expected - elsewhere}
    assert logged == {key for key in trainer.callback_metrics if key.startswith("health/")}


def has_weights(module):
    return any(True for _ in module.parameters())


def test_the_default_run_is_watched_on_its_averaged_weights(vae_run):
    names = list(config().callbacks)
    assert names.index("ema") < names.index("health") < names.index("samples")  # it may stop, and they draw the end
    header = (vae_run.path / "metrics.csv").read_text().splitlines()[0]
    assert {"health/diversity", "health/active_units", "health/grad_norm_decoder"} < set(header.split(","))
    assert summary(vae_run.path)["status"] == "good"
    assert "health" not in config("~callbacks.health").callbacks


def test_counters_and_warnings_go_on_after_a_resume(tmp_path):
    first, path = Scripted(tmp_path, [ALIKE, ALIKE]), tmp_path / "some.ckpt"
    _, trainer = trained("vae", "trainer.max_epochs=2", callbacks=[first])
    trainer.save_checkpoint(path)
    stored = next(state for name, state in read_state(path).items() if name.startswith("Scripted"))
    assert stored["in_a_row"] == {"samples_collapsed": 2}
    again = Scripted(tmp_path, [ALIKE], stop_after=3)
    resume(path, again)
    assert [warning["epoch"] for warning in again.warnings] == [1]
    assert summary(tmp_path)["stopped"]


def test_a_checkpoint_from_before_it_was_watched_goes_on(tmp_path):
    _, trainer = trained("vae", "trainer.max_epochs=2")
    trainer.save_checkpoint(tmp_path / "old.ckpt")
    health = Scripted(tmp_path, [GOOD])
    resume(tmp_path / "old.ckpt", health)
    assert summary(tmp_path)["status"] == "good"


def read_state(path):
    return torch.load(path, weights_only=True)["callbacks"]


def resume(path, health):
    """Train a third epoch."""
    cfg = config("model=vae", *TINY, "data.size=16", "trainer.max_epochs=3")
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    build(cfg.trainer, callbacks=[health], **quiet).fit(build(cfg.model), build(cfg.data), ckpt_path=str(path))


def test_its_state_is_read_as_data_alone(vae_run):
    states = read_checkpoint(vae_run.path / "checkpoints" / "last.ckpt")["callbacks"]
    assert states["Health"]["in_a_row"] == {}
    assert states["Health"]["first_norms"].keys() == {"grad_norm_encoder", "grad_norm_decoder"}
