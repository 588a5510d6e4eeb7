"""Checkpoints: the last state, the one before, and the best one."""

import logging
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint as LightningCheckpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException

from genlab.bounds import NonNegativeInt, PositiveFloat, PositiveInt
from genlab.errors import UsageError
from genlab.files import atomic_write, missing, warn_on_failure
from genlab.loggers import WandbLogger
from genlab.run.checkpoint import DamagedCheckpoint, link, read_checkpoint, spoiled, write_checkpoint
from genlab.trainer.internals import make_checkpoint
from genlab.trainer.schedule import is_due, scorer, signals

log = logging.getLogger(__name__)

GROWTH = 4  # a checkpoint is at most so many times as large as at the start, when optimisers hold nothing yet


class Checkpoint(LightningCheckpoint):
    """Writes `last.ckpt` at intervals, at the end and when a run is stopped, and `best.ckpt` when the score improves.

    Lightning runs subclasses of its own `Checkpoint` after all other callbacks, so that the score is there. A file
    replaces the one before only once it is on the disk; the `last.ckpt` before it stays as `previous.ckpt`. Within an
    epoch it is written before the next batch, when all of a step is done, its row in `metrics.csv` included.

    A run of one process writes it after an unexpected error too; of several, the others may be in the middle of a step.

    Args:
        dirpath: folder for the checkpoints.
        every_n_epochs: how often `last.ckpt` is written.
        every_n_steps: also within epochs, counted in batches; None for not.
        every_minutes: also so long after the newest one, by the clock of the first process; None for not.
        keep: how many older ones stay beside `previous.ckpt`, as `step_000001000.ckpt`.
    """

    def __init__(
        self,
        dirpath: str,
        every_n_epochs: PositiveInt = 1,
        every_n_steps: PositiveInt | None = None,
        every_minutes: PositiveFloat | None = 15,
        keep: NonNegativeInt = 0,
    ) -> None:
        self.dirpath = Path(dirpath)
        self.every_n_epochs = every_n_epochs
        self.every_n_steps = every_n_steps
        self.every_minutes = every_minutes
        self.keep = keep
        self._forget_best()
        self._trains = self._is_wanted = self._is_due = False
        self._step_saved, self._time_saved = -1, monotonic()

    def _forget_best(self) -> None:
        self.best_score, self.best_protocol = float("inf"), dict[str, Any]()

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.keep_checkpoints(self.dirpath)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Try, so that a full disk or a folder that can't be written to ends all processes before the first hour."""
        checkpoint = make_checkpoint(trainer)
        reason = self._why_impossible(checkpoint) if trainer.is_global_zero else None
        reason, has_best = trainer.strategy.broadcast((reason, (self.dirpath / "best.ckpt").is_file()))
        if reason:
            raise UsageError(f"No checkpoint can be written to {self.dirpath}: {reason}.")
        if not has_best:
            self._forget_best()
        self._trains, self._time_saved = True, monotonic()

    def _why_impossible(self, checkpoint: dict[str, Any]) -> str | None:
        try:
            self.dirpath.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(dir=self.dirpath) as folder:
                trial = Path(folder, "trial.ckpt")
                write_checkpoint(checkpoint, trial)
                size = trial.stat().st_size
        except OSError as error:
            return str(error)
        free = shutil.disk_usage(self.dirpath).free
        needed = GROWTH * size * (4 + self.keep)  # last, previous and best, and one that is being written
        return f"{free / 1e6:.0f} MB are free and {needed / 1e6:.0f} may be needed" if free < needed else None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if self._is_due:
            self._save_last(trainer)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Find out whether a checkpoint is due; it waits while gradients wait for more batches."""
        noted = signals(trainer)
        is_time = self.every_minutes is not None and monotonic() - self._time_saved > 60 * self.every_minutes
        if is_time and trainer.is_global_zero and not noted.agreed_save:
            noted.save = True  # known to all processes after the next step
        is_nth = self.every_n_steps is not None and trainer.global_step % self.every_n_steps == 0
        self._is_wanted = self._is_wanted or is_nth or noted.agreed_save
        self._is_due = self._is_wanted and pl_module.is_last_accumulation()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._is_due or is_due(trainer, self.every_n_epochs):
            self._save_last(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write `best.ckpt` if the score that has just been measured is the lowest so far of its protocol."""
        scores = scorer(trainer)
        if scores is None or scores.score is None:
            return
        if self.best_protocol not in ({}, scores.protocol):
            said = "The lowest score so far, %.4g, was measured by another protocol: best.ckpt starts again."
            log.warning(said, self.best_score)
            self._forget_best()
        if scores.score < self.best_score:
            before = self.best_score, self.best_protocol
            self.best_score, self.best_protocol = scores.score, dict(scores.protocol)
            if not trainer.strategy.broadcast(self._save(trainer, "best.ckpt")):
                self.best_score, self.best_protocol = before  # those of the file that there is

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Write `last.ckpt` before the run ends, unless there is one of this step."""
        stopped = isinstance(exception, SIGTERMException)  # all processes are here, after the same step
        unexpected = not isinstance(exception, UsageError) and trainer.world_size == 1
        if self._trains and (stopped or unexpected) and self._step_saved != trainer.global_step > 0:
            try:
                self._save_last(trainer)
            except Exception as error:  # must not hide the one that ends the run
                log.error("No checkpoint could be written at the end: %s", error)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._trains = False  # what fails from here on is no loss

    def _save_last(self, trainer: Trainer) -> None:
        self._save(trainer, "last.ckpt")
        self._is_wanted = self._is_due = False
        self._step_saved, self._time_saved = trainer.global_step, monotonic()
        signals(trainer).agreed_save = False

    def _save(self, trainer: Trainer, name: str) -> bool:
        """Called on all processes; the first one writes, and returns whether it could: no disk ends the run.

        Weights that are NaN or infinite end it on all processes, and the checkpoints that there are stay.
        """
        checkpoint = make_checkpoint(trainer)
        if names := trainer.strategy.broadcast(spoiled(checkpoint) if trainer.is_global_zero else None):
            raise UsageError(
                f"Training has diverged: after step {trainer.global_step} weights of {names} are not finite. They "
                "are not saved, the last checkpoint is good: try a smaller model.optimizer.lr, or "
                "trainer.precision=32-true."
            )
        if not trainer.is_global_zero:
            return False
        path = self.dirpath / name
        with warn_on_failure(name), atomic_write(path) as unfinished:  # or the one before stays
            write_checkpoint(checkpoint, unfinished)
            if path.is_file() and name == "last.ckpt":
                self._keep_older()
                link(path, self.dirpath / "previous.ckpt")
        return name not in missing()

    def _keep_older(self) -> None:
        previous = self.dirpath / "previous.ckpt"
        if self.keep and previous.is_file():
            with suppress(DamagedCheckpoint):
                previous.replace(self.dirpath / f"step_{read_checkpoint(previous)['global_step']:09d}.ckpt")
            for path in sorted(self.dirpath.glob("step_*.ckpt"))[: -self.keep]:
                path.unlink()

    def state_dict(self) -> dict[str, Any]:
        return {"best_score": self.best_score, "best_protocol": self.best_protocol}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on comparing; checkpoints of earlier versions do not know the protocol."""
        self.best_score, self.best_protocol = state_dict["best_score"], state_dict.get("best_protocol", {})
