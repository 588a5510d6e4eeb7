"""Which checkpoints are written when."""

import os
import random
import shutil
import signal
from collections import namedtuple
from pathlib import Path
from unittest.mock import MagicMock

import pytest
import torch
from lightning.pytorch import Callback
from settings import TINY, config

from genlab.callbacks import Checkpoint
from genlab.commands.load import load_run
from genlab.config.build import build
from genlab.errors import UsageError
from genlab.models import GAN
from genlab.run.checkpoint import DamagedCheckpoint, read_checkpoint, write_checkpoint
from genlab.trainer.resume_state import ResumeState
from genlab.trainer.signals import Signals


class Scorer(Callback):
    """Gives the scores of a list, one an epoch, as if they had been measured on so many samples."""

    score_key = "val/score"

    def __init__(self, scores, n_fake):
        self.scores, self.n_fake, self.score, self.protocol = iter(scores), iter(n_fake), None, {}

    def on_validation_epoch_end(self, trainer, pl_module):
        self.score, self.protocol = next(self.scores), {"n_fake": next(self.n_fake, 100)}


def fit(tmp_path, *overrides, scores=(), n_fake=(), signals=None, **options):
    cfg = config(*TINY, "model=gan", *overrides)
    callbacks = [
        ResumeState({"model": {}, "data": {}}),
        signals or Signals(),
        Checkpoint(str(tmp_path), **options),
        *([Scorer(scores, n_fake)] if scores else []),
    ]
    trainer = build(cfg.trainer, callbacks=callbacks, logger=False)
    trainer.progress_bar_callback.disable()
    trainer.fit(build(cfg.model), build(cfg.data))


def test_best_is_the_epoch_of_the_lowest_score_and_last_and_previous_are_the_last_two(tmp_path):
    fit(tmp_path, "trainer.max_epochs=4", scores=[3.0, 1.0, None, 2.0])
    epochs = {path.stem: read_checkpoint(path)["epoch"] for path in tmp_path.glob("*.ckpt")}
    assert epochs == {"best": 1, "last": 3, "previous": 2}


@pytest.mark.parametrize("has_links", [True, False])
def test_last_is_there_and_whole_at_every_moment_after_the_first(has_links, tmp_path, monkeypatch):
    replace, seen = Path.replace, []

    def no_links(self, target):
        raise OSError("no links here")

    def watched(self, target):
        for moment in ("before", "after"):
            if moment == "after":
                replace(self, target)
            last = tmp_path / "last.ckpt"
            seen.append(read_checkpoint(last)["epoch"] if last.is_file() else None)

    monkeypatch.setattr(Path, "replace", watched)
    if not has_links:
        monkeypatch.setattr(Path, "hardlink_to", no_links)
    fit(tmp_path, "trainer.max_epochs=3")
    assert seen == [None, 0, 0, 0, 0, 1, 1, 1, 1, 2]  # one renaming in the first epoch, two in each other
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.ckpt", "previous.ckpt"]


def test_without_a_score_there_is_a_last_and_no_best(tmp_path):
    fit(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_score_that_is_not_a_number_never_becomes_the_best(tmp_path):
    fit(tmp_path, "trainer.max_epochs=2", scores=[float("nan"), 5.0])
    assert read_checkpoint(tmp_path / "best.ckpt")["epoch"] == 1


def test_a_score_by_another_protocol_is_not_the_one_to_beat(tmp_path, caplog):
    fit(tmp_path, "trainer.max_epochs=4", scores=[1.0, 4.0, 5.0, 2.0], n_fake=[1000, 16, 16, 1000])
    best = read_checkpoint(tmp_path / "best.ckpt")
    assert (best["epoch"], best["callbacks"]["Checkpoint"]) == (
        3,
        {"best_score": 2.0, "best_protocol": {"n_fake": 1000}},
    )
    assert caplog.text.count("was measured by another protocol: best.ckpt starts again") == 2
    last = Checkpoint(str(tmp_path))
    last.load_state_dict({"best_score": 2.0})  # of an earlier version, which did not say by which
    assert last._to_beat(Scorer([], [])) == 2.0


def test_a_best_score_that_the_disk_has_not_taken_is_not_the_one_to_beat(tmp_path, monkeypatch):
    """The second of three is the lowest; the third is lower than the first."""

    def write(checkpoint, path):
        write_checkpoint(checkpoint, path)
        if path.stem == "best" and checkpoint["epoch"] == 1:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("genlab.callbacks.checkpoint.write_checkpoint", write)
    fit(tmp_path, "trainer.max_epochs=3", scores=[3.0, 1.0, 2.0])
    assert read_checkpoint(tmp_path / "best.ckpt")["epoch"] == 2


def test_a_best_score_whose_file_is_gone_is_not_the_one_to_beat(tmp_path):
    checkpoint = Checkpoint(str(tmp_path))
    trainer = MagicMock(is_global_zero=False)
    trainer.strategy.broadcast = lambda value: value
    for is_there, expected in ((True, 2.0), (False, float("inf"))):
        checkpoint.load_state_dict({"best_score": 2.0})
        (tmp_path / "best.ckpt").touch() if is_there else (tmp_path / "best.ckpt").unlink()
        checkpoint.on_train_start(trainer, None)
        assert checkpoint.best_score == expected


def test_step_based_checkpoints_count_batches_also_for_a_gan(tmp_path):
    steps = []

    class Spy(Checkpoint):
        def _save(self, trainer, name):
            steps.append(trainer.global_step)

    cfg = config(*TINY, "model=gan", "trainer.max_epochs=2")
    trainer = build(cfg.trainer, callbacks=[Spy(str(tmp_path), every_n_epochs=2, every_n_steps=3)], logger=False)
    trainer.progress_bar_callback.disable()
    trainer.fit(build(cfg.model), build(cfg.data))
    assert steps == [3, 6, 8]  # every third of the eight batches, and the end


@pytest.fixture
def steps(monkeypatch):
    """The steps after which `last.ckpt` was written."""
    steps, save = [], Checkpoint._save

    def noted(self, trainer, name):
        steps.append(trainer.global_step)
        save(self, trainer, name)

    monkeypatch.setattr(Checkpoint, "_save", noted)
    return steps


def test_minutes_are_counted_from_the_newest_checkpoint_also_for_a_gan(steps, tmp_path, monkeypatch):
    """A step a minute, from minute 0 on. All processes know after the next step, in the 16 batches of an epoch."""
    minutes = iter(range(10_000))
    clock = {"now": 0.0}
    started = GAN.training_step

    def step(self, batch, batch_idx):
        clock["now"] = 60.0 * next(minutes)
        return started(self, batch, batch_idx)

    monkeypatch.setattr(GAN, "training_step", step)
    monkeypatch.setattr("genlab.callbacks.checkpoint.monotonic", lambda: clock["now"])
    fit(tmp_path, "data.batch_size=4", every_minutes=4.5)
    assert steps == [7, 13, 16]  # minutes 5 and 11 are past 0 + 4.5 and 6 + 4.5; then the end


def test_sigusr1_writes_a_checkpoint_after_the_step_that_goes_on(steps, tmp_path, monkeypatch):
    started = GAN.training_step

    def step(self, batch, batch_idx):
        if batch_idx == 1:
            os.kill(os.getpid(), signal.SIGUSR1)
        return started(self, batch, batch_idx)

    monkeypatch.setattr(GAN, "training_step", step)
    signals = Signals()
    with signals.installed():
        fit(tmp_path, signals=signals)
    assert steps == [2, 4]


def test_as_many_older_ones_stay_as_are_asked_for(tmp_path):
    fit(tmp_path, "trainer.max_epochs=2", every_n_steps=1, keep=3)
    names = {path.stem: read_checkpoint(path)["global_step"] for path in tmp_path.glob("*.ckpt")}
    assert names == {"last": 8, "previous": 7, **{f"step_{n:09d}": n for n in (4, 5, 6)}}
    assert not list(tmp_path.glob("*.tmp"))


def test_a_flipped_bit_or_a_missing_end_is_found_or_does_no_harm(tmp_path):
    path, numbers = tmp_path / "some.ckpt", random.Random(0)
    content = {"config": {"model": {}, "data": {}}, "state_dict": {"w": torch.arange(1000.0)}}
    write_checkpoint(content, path)
    whole = path.read_bytes()
    found = 0
    for _ in range(200):
        data = bytearray(whole)
        data[numbers.randrange(len(data))] ^= 1 << numbers.randrange(8)
        path.write_bytes(data)
        try:
            read = read_checkpoint(path)
        except DamagedCheckpoint:
            found += 1
        else:  # it was a byte that means nothing: padding, a date
            assert read["config"] == content["config"]
            assert torch.equal(read["state_dict"]["w"], content["state_dict"]["w"])
    assert found > 150
    for share in (0.1, 0.5, 0.9, 0.999):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(DamagedCheckpoint):
            read_checkpoint(path)


def test_evaluation_takes_the_previous_checkpoint_if_the_last_is_damaged(vae_run, tmp_path, caplog):
    run = tmp_path / "run"
    shutil.copytree(vae_run.path, run)
    (run / "checkpoints" / "best.ckpt").unlink()
    last = run / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:-1000])
    assert load_run(str(run)).checkpoint.name == "previous.ckpt"
    assert "previous.ckpt is taken instead" in caplog.text
    with pytest.raises(DamagedCheckpoint):
        load_run(str(last))


def test_a_folder_that_can_not_be_written_to_is_found_before_training(steps, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"No checkpoint can be written to .*file.*: .*"):
        fit(tmp_path / "file")
    assert not steps


def test_so_is_a_disk_that_is_nearly_full(steps, tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")(1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UsageError, match=r"0 MB are free and .* may be needed"):
        fit(tmp_path)
    assert not steps


def test_a_disk_that_fails_later_ends_no_run_and_spoils_no_checkpoint(tmp_path, monkeypatch, caplog):
    def write(checkpoint, path):
        write_checkpoint(checkpoint, path)
        if checkpoint["global_step"] > 4:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("genlab.callbacks.checkpoint.write_checkpoint", write)
    fit(tmp_path, "trainer.max_epochs=2")
    assert "last.ckpt can't be written" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]
    assert read_checkpoint(tmp_path / "last.ckpt")["global_step"] == 4
