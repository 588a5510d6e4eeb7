"""A run that was interrupted ends where it would have ended."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch.utilities.exceptions import SIGTERMException
from resuming import SMALL, assert_same_end, copied, equal, rows, saved
from settings import ROOT, config, options
from typed import run_two, type_in

from genlab.callbacks import Guard, Health
from genlab.commands.load import load_run
from genlab.commands.resume import _check_same, resumption
from genlab.commands.train import train
from genlab.errors import UsageError
from genlab.models import GAN, VAE
from genlab.run.checkpoint import spoiled
from genlab.run.summary import read_summary


def trained(path: Path, *overrides: str) -> Path:
    train(config(*SMALL, *overrides, run_dir=path))
    return path


def resumed(run: Path, *typed: str) -> Path:
    train(config(f"resume={run}", run_dir="unused"), typed)
    return run


COSINE = "{_target_: genlab.schedules.Cosine, start: 0.002, end: 0.0001, images: 300}"
HALF_LIFE = COSINE.replace("0.002", "0").replace("0.0001", "200")
SCHEDULED = [f"+model.schedules.lr={COSINE}", f"+model.schedules.r1={COSINE}", f"callbacks.ema.half_life={HALF_LIFE}"]


SPATIAL = [text for role in ("encoder", "decoder") for text in (f"model/{role}=spatial", f"model.{role}.width=4")]
MAPS = [*SPATIAL, "model.encoder.gradient_checkpointing=true", "model.latent_shape=[2,4,4]"]


def is_heavy(model: str) -> bool:
    """Whether a model has a codebook or a perceptual distance, so that its runs are for the slow tests."""
    return bool({"quantizer", "d_start"} & config(f"model={model}").model.keys())


MODELS = [pytest.param(name, marks=[pytest.mark.slow] if is_heavy(name) else []) for name in options("model")]


@pytest.fixture(scope="module", params=MODELS)
def whole(request, tmp_path_factory):
    """A run of each model that was never interrupted."""
    return trained(tmp_path_factory.mktemp(request.param), f"model={request.param}")


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    """A run of a VAE that was never interrupted."""
    return trained(tmp_path_factory.mktemp("vae"))


@pytest.mark.parametrize("step", [4, 6], ids=["end of an epoch", "middle of an epoch"])
def test_a_resumed_run_ends_where_the_uninterrupted_one_does(whole, step, tmp_path):
    assert_same_end(resumed(copied(whole, tmp_path / "run", step)), whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "steps"),
    [
        (["trainer.max_steps=7"], [4, 5]),
        (["+trainer.val_check_interval=0.5"], [2, 6]),
        (["trainer.check_val_every_n_epoch=2"], [3, 4]),
        (["trainer.check_val_every_n_epoch=3"], [4, 6]),
        (["+trainer.val_check_interval=3"], [3, 6]),
        (["callbacks.ema.every_n_steps=1000"], [2, 4, 6]),
        (["+trainer.accumulate_grad_batches=2"], [1, 2]),
        (["model=gan", "model.accumulate=2", "data.num_workers=1"], [2, 4]),
        ([*MAPS, "data.random_crop=20"], [2, 6]),
        ([*SCHEDULED, "model=gan", "model/objective=r3gan", "model.fresh=true"], [2, 6]),
        (["model=gan", "model/augment=ada", "model.augment.every=2", "model.augment.images=100"], [3, 5]),
    ],
    ids=lambda value: value[-1] if isinstance(value[0], str) else "",
)
def test_so_it_does_where_epochs_are_cut_otherwise(overrides, steps, tmp_path):
    whole = trained(tmp_path / "whole", *overrides)
    for step in steps:
        assert_same_end(resumed(copied(whole, tmp_path / f"run{step}", step)), whole)


# Counts that an epoch of four batches does not divide, and updates of several batches, which it does or does not.
COUNTS = [
    (["model.d_steps=5"], [3, 5]),
    (["model.d_steps=3", "model.accumulate=2"], [4]),
    (["model.d_steps=2", "model.accumulate=3"], [3, 4]),
    (["model/objective=r1", "model.accumulate=2", "model.objective.penalties.r1.every=3"], [4]),
]


@pytest.mark.slow
@pytest.mark.parametrize("model", ["gan", "vaegan"])
@pytest.mark.parametrize(
    ("overrides", "steps"), COUNTS, ids=lambda value: value[-1] if isinstance(value[0], str) else ""
)
def test_so_it_does_in_the_middle_of_d_steps_and_of_accumulation(model, overrides, steps, tmp_path):
    whole = trained(tmp_path / "whole", f"model={model}", "trainer.max_epochs=3", *overrides)
    for step in steps:
        assert_same_end(resumed(copied(whole, tmp_path / f"run{step}", step)), whole)


@pytest.mark.slow
def test_so_it_does_where_steps_and_penalties_draw_augmentations(tmp_path):
    drawing = ("model=gan", "model/augment=diffaugment", "model/objective=wgan_gp", "model.d_steps=3")
    whole = trained(tmp_path / "whole", *drawing)
    for step in (3, 5):
        assert_same_end(resumed(copied(whole, tmp_path / f"run{step}", step)), whole)


def test_so_it_does_where_another_number_of_threads_is_at_hand(vae, tmp_path):
    before = torch.get_num_threads()
    run = copied(vae, tmp_path / "run", 4)
    assert read_summary(run)["n_threads"] == before
    try:
        torch.set_num_threads(before + 1)
        assert_same_end(resumed(run), vae)
        assert torch.get_num_threads() == before
    finally:
        torch.set_num_threads(before)


def test_a_batch_that_waits_for_its_update_is_in_the_checkpoint(tmp_path, monkeypatch):
    """Of the updates of two batches, one has its first batch when the second fails."""
    options = ("model=gan", "model.accumulate=2")
    whole, step = trained(tmp_path / "whole", *options), GAN.training_step

    def failing(self, batch, batch_idx):
        if self.global_step == 5:
            raise RuntimeError("a cable was pulled")
        return step(self, batch, batch_idx)

    monkeypatch.setattr(GAN, "training_step", failing)
    with pytest.raises(RuntimeError, match="cable"):
        trained(tmp_path / "run", *options, "callbacks.checkpoint.every_n_steps=null")
    monkeypatch.undo()
    assert saved(tmp_path / "run")["global_step"] == 5
    resumed(tmp_path / "run")
    assert equal(saved(tmp_path / "run")["state_dict"], saved(whole)["state_dict"])
    assert equal(saved(tmp_path / "run")["optimizer_states"], saved(whole)["optimizer_states"])


def test_a_checkpoint_without_a_count_of_updates_goes_on_with_that_of_its_batches(tmp_path):
    """Of an earlier version, which counted them anew in each epoch."""
    whole = trained(tmp_path / "whole", "model=gan", "model.d_steps=3")
    run = copied(whole, tmp_path / "run", 4)
    old = saved(run)
    assert old.pop("n_updates") == 4
    torch.save(old, run / "checkpoints" / "last.ckpt")
    assert_same_end(resumed(run), whole)
    assert load_run(str(run)).model.n_updates == 8


def test_so_it_does_from_the_best_checkpoint_which_is_written_before_the_epoch_ends(vae_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(vae_run.path, run)
    for name in ("last", "previous"):
        (run / "checkpoints" / f"{name}.ckpt").unlink()
    resumed(run)
    assert_same_end(run, vae_run.path)


@pytest.mark.parametrize(("model", "every"), [("ae", 4), ("gan", 4), ("vae", 1000)])  # which begins with an update
def test_so_it_does_when_it_was_stopped_within_a_validation(model, every, tmp_path, monkeypatch):
    """The sign that Health counts has been counted when it is stopped, and must not be counted twice."""
    always = ("callbacks.health.grace=0", "callbacks.health.min_diversity=99")
    options = (f"model={model}", "callbacks.checkpoint.keep=0", f"callbacks.ema.every_n_steps={every}", *always)
    whole = trained(tmp_path / "whole", *options)
    assert saved(whole)["callbacks"]["Health"]["in_a_row"]["samples_collapsed"] == 2
    gives_up, n = Health._gives_up, iter(range(9))

    def stopped(*args):
        if next(n) == 1:
            raise SIGTERMException
        return gives_up(*args)

    monkeypatch.setattr(Health, "_gives_up", stopped)
    with pytest.raises(SystemExit, match="143"):
        trained(tmp_path / "run", *options)
    assert saved(tmp_path / "run")["global_step"] == 8
    assert_same_end(resumed(tmp_path / "run"), whole)


def test_so_it_does_where_a_model_draws_from_the_global_generators(tmp_path, monkeypatch):
    step = VAE.training_step

    def noisy(self, batch, batch_idx):
        noise = torch.rand(1).item() + np.random.rand() + random.random()  # noqa: NPY002
        return step(self, batch, batch_idx) * (1 + noise)

    monkeypatch.setattr(VAE, "training_step", noisy)
    whole = trained(tmp_path / "whole")
    assert_same_end(resumed(copied(whole, tmp_path / "run", 6)), whole)


def test_after_an_error_in_a_step_the_run_repeats_the_batch_with_the_same_noise(vae, tmp_path, monkeypatch):
    step = VAE.training_step

    def failing(self, batch, batch_idx):
        loss = step(self, batch, batch_idx)  # which has drawn noise
        if self.global_step == 5:
            raise RuntimeError("a cable was pulled")
        return loss

    run = tmp_path / "run"
    monkeypatch.setattr(VAE, "training_step", failing)
    with pytest.raises(RuntimeError, match="cable"):
        trained(run, "callbacks.checkpoint.every_n_steps=null")
    monkeypatch.undo()
    assert saved(run)["global_step"] == 5
    assert json.loads((run / "summary.json").read_text())["status"] == "failed"
    resumed(run)
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["status"], summary["error"], len(summary["resumed"])) == ("completed", None, 1)
    assert_same_end(run, vae)


def test_a_loss_that_is_nan_leaves_the_last_checkpoint_alone(tmp_path, monkeypatch):
    def found(self, trainer, *_):
        if trainer.global_step == 6:
            raise UsageError("diverged")

    monkeypatch.setattr(Guard, "on_before_backward", found)
    with pytest.raises(UsageError, match="diverged"):
        trained(tmp_path, "callbacks.checkpoint.every_n_steps=null")
    assert saved(tmp_path)["global_step"] == 4


def test_weights_that_a_last_step_has_spoiled_are_not_saved_as_good_ones(tmp_path, monkeypatch):
    """The loss is finite, and the next one, at which the guard would see it, comes after the checkpoint."""
    step = VAE.training_step

    def spoiling(self, batch, batch_idx):
        loss = step(self, batch, batch_idx)
        if self.global_step == 7:
            loss.register_hook(lambda gradient: gradient * float("nan"))
        return loss

    monkeypatch.setattr(VAE, "training_step", spoiling)
    with pytest.raises(UsageError, match=r"after step 8 weights of encoder, decoder are not finite\."):
        trained(tmp_path, "callbacks.checkpoint.every_n_steps=null")
    assert saved(tmp_path)["global_step"] == 4
    assert spoiled(saved(tmp_path)) == ""


def test_a_damaged_last_checkpoint_is_put_aside_for_the_one_before(vae, tmp_path, caplog):
    run = copied(vae, tmp_path / "run", 6)
    folder = run / "checkpoints"
    (folder / "last.ckpt").rename(folder / "previous.ckpt")
    data = bytearray((vae / "checkpoints" / "last.ckpt").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "last.ckpt").write_bytes(data)
    resumed(run)
    assert "last.ckpt can't be read" in caplog.text
    assert "goes on from previous.ckpt" in caplog.text
    assert_same_end(run, vae)
    assert (folder / "last.ckpt.damaged").is_file()


def test_a_checkpoint_without_random_states_is_resumed_as_far_as_it_goes(vae, tmp_path, caplog):
    run = copied(vae, tmp_path / "run", 4)
    old = saved(run)
    del old["resume"]
    torch.save(old, run / "checkpoints" / "last.ckpt")
    resumed(run)
    assert caplog.text.count("before random states were kept") == 1
    assert saved(run)["global_step"] == 8
    assert [row["step"] for row in rows(run)] == [row["step"] for row in rows(vae)]


def test_what_is_typed_changes_the_configuration_of_the_run(vae, tmp_path):
    run = copied(vae, tmp_path / "run", 6)
    resumed(run, "trainer.max_epochs=3", "~callbacks.guard", "+trainer.gradient_clip_val=9", "paths.data_dir=there")
    assert saved(run)["epoch"] == 2
    changed = saved(run)["config"]
    assert changed["trainer"]["gradient_clip_val"] == 9
    assert "guard" not in changed["callbacks"]
    assert changed["paths"]["run_dir"] == str(run)
    assert changed["paths"]["data_dir"] == "there"
    assert changed["callbacks"]["checkpoint"]["dirpath"] == f"{run}/checkpoints"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("model.latent_dim=3", "model.latent_dim=3 can't be changed"),
        ("model=gan", "model=gan can't be changed"),
        ("data.size=32", "data.size=32 can't be changed"),
        ("seed=1", "seed=1 can't be changed"),
        ("trainer=gpu", "chooses a whole group"),
        ("trainer.max_epoch=3", "Did you mean 'max_epochs'"),
        ("callbacks.samples.seed=3", "has no callbacks.samples"),
        ("trainer.max_epochs=2", "complete with 2 epochs"),
        ("trainer.max_epochs=9 trainer.max_steps=8", "complete with 8 steps"),
    ],
)
def test_what_can_not_be_resumed_is_said_in_one_sentence(typed, said, vae):
    with pytest.raises(UsageError, match=said):
        resumption(config(f"resume={vae}"), [f"resume={vae}", *typed.split()])


def test_resuming_what_is_no_run_or_holds_no_whole_checkpoint_is_refused(vae, tmp_path):
    with pytest.raises(UsageError, match="is no run"):
        resumption(config(f"resume={tmp_path}"))
    run = copied(vae, tmp_path / "run", 6)
    path = run / "checkpoints" / "last.ckpt"
    path.write_bytes(path.read_bytes()[:-100])
    for what in (run, path):
        with pytest.raises(UsageError, match=r"damaged.*no other to go on from"):
            resumption(config(f"resume={what}"))
    path.unlink()
    with pytest.raises(UsageError, match="no checkpoint"):
        resumption(config(f"resume={run}"))


def test_a_checkpoint_of_two_processes_is_not_resumed_by_one(vae, tmp_path):
    run = copied(vae, tmp_path / "run", 6)
    checkpoint = saved(run)
    checkpoint["resume"]["processes"] *= 2
    torch.save(checkpoint, run / "checkpoints" / "last.ckpt")
    with pytest.raises(UsageError, match=r"by 2 process.*trainer\.devices=2"):
        resumed(run)


def test_auto_starts_a_run_and_goes_on_with_it_by_the_same_command(vae, tmp_path):
    run, auto = tmp_path / "run", "resume=auto"
    trained(run, auto, "trainer.max_epochs=1")
    trained(run, auto)
    assert_same_end(run, vae)
    with pytest.raises(UsageError, match="complete with 2 epochs"):
        trained(run, auto, "trainer.max_epochs=1")
    with pytest.raises(UsageError, match=r"with model\.latent_dim=16 and model\.latent_dim=3 is asked for"):
        trained(run, auto, "model.latent_dim=3", "trainer.max_epochs=9")


def test_auto_starts_again_where_a_run_has_died_before_its_first_checkpoint(vae, tmp_path):
    (tmp_path / "config.yaml").write_text("")
    shutil.copy(vae / "metrics.csv", tmp_path)
    assert_same_end(trained(tmp_path, "resume=auto"), vae)


def test_auto_starts_again_where_the_only_checkpoint_is_damaged_but_not_where_several_are(vae, tmp_path, caplog):
    run = copied(vae, tmp_path / "run", 4)
    last = run / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:-100])
    (run / "summary.json").unlink()  # it says that the run is complete
    copies = [shutil.copytree(run, tmp_path / name) for name in ("two", "one after another")]
    assert_same_end(trained(run, "resume=auto"), vae)
    assert "begins anew" in caplog.text
    assert (run / "checkpoints" / "last.ckpt.damaged").is_file()
    shutil.copy(copies[0] / "checkpoints" / "last.ckpt", copies[0] / "checkpoints" / "previous.ckpt")
    shutil.copy(copies[1] / "checkpoints" / "last.ckpt", copies[1] / "checkpoints" / "last.ckpt.damaged")
    for several in copies:
        with pytest.raises(UsageError, match="no other to go on from"):
            trained(several, "resume=auto")


class Process:
    """A real `python src/train.py`."""

    def __init__(self, cwd: Path, *arguments: str) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
        command = [sys.executable, str(ROOT / "src" / "train.py"), *arguments]
        self.popen = subprocess.Popen(
            command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def ends_by(self, number: int, run: Path, step: int) -> int:
        """Send a signal once metrics.csv has a step, and return the exit code."""
        for _ in range(6000):
            if (run / "metrics.csv").is_file() and any(int(row["step"] or 0) >= step for row in rows(run)):
                break
            assert self.popen.poll() is None, self.popen.communicate()
            time.sleep(0.02)
        self.popen.send_signal(number)
        self.popen.communicate(timeout=120)
        return self.popen.returncode


@pytest.mark.rare
def test_killed_terminated_and_interrupted_processes_end_where_an_uninterrupted_one_does(tmp_path):
    long = (*SMALL, "trainer.max_epochs=60", "callbacks.checkpoint.every_n_steps=7", "callbacks.checkpoint.keep=0")
    train(config(*long, run_dir=tmp_path / "whole"))
    run = tmp_path / "run"
    command = ["hydra.run.dir=run", "resume=auto", *long]
    assert Process(tmp_path, *command).ends_by(signal.SIGKILL, run, 30) == -signal.SIGKILL
    steps, step = [], saved(run)["global_step"]
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)):
        assert Process(tmp_path, *command).ends_by(number, run, step + 20) == code
        assert json.loads((run / "summary.json").read_text())["status"] == "interrupted"
        steps.append(step := saved(run)["global_step"])
        assert rows(run)[-1]["step"] == str(step - 1)  # the checkpoint is of the newest step
    assert 30 < steps[0] < steps[1] < steps[2] < 240
    result = type_in("train", "resume=run", cwd=tmp_path, OMP_NUM_THREADS=str(torch.get_num_threads()))
    assert result.returncode == 0, result.stderr
    assert_same_end(run, tmp_path / "whole")
    assert not (tmp_path / "logs").exists()


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    """What two gloo processes leave behind; see resume_worker.py."""
    folder = tmp_path_factory.mktemp("two")
    run_two("resume_worker.py", folder, cwd=folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("how", ["end of an epoch", "middle of an epoch", "signal to the second process"])
@pytest.mark.parametrize("model", ["gan", "vae"])
def test_so_do_two_processes(model, how, two_processes):
    assert_same_end(two_processes / model / how, two_processes / model / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["gan", "vae"])
def test_two_processes_leave_together_when_one_is_told_to(model, two_processes):
    left = [json.loads((two_processes / model / f"left{rank}.json").read_text()) for rank in (0, 1)]
    assert [one["step"] for one in left] == [6, 6]
    assert [one["code"] for one in left] == [143, 0]


@pytest.mark.parametrize(
    ("more", "typed", "is_refused"),
    [
        ({"fresh": False}, [], False),
        ({"fresh": True}, ["model.fresh"], True),
        ({"condition": {"_target_": "Classes"}}, ["model/condition"], True),
        ({"beta": 2.0}, [], True),
    ],
    ids=["a key of a newer version", "one that is typed", "a node that is chosen", "another value"],
)
def test_a_run_of_an_older_version_goes_on_by_auto_although_there_are_more_keys_by_now(more, typed, is_refused):
    stored = {"model": {"_target_": "VAE", "beta": 1.0}, "seed": 0}
    mine = stored | {"model": {**stored["model"], **more}}
    with pytest.raises(UsageError, match="is asked for") if is_refused else nullcontext():
        _check_same(mine, stored, Path("run"), typed)
