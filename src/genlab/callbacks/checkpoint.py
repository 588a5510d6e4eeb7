"""Checkpoints: the last state and the best one."""

from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint as LightningCheckpoint

from genlab.callbacks.state import is_due, scorer
from genlab.errors import whole_number


class Checkpoint(LightningCheckpoint):
    """Writes `last.ckpt` at intervals and at the end, and `best.ckpt` whenever the score of a callback improves.

    (Lightning runs subclasses of its own `Checkpoint` after all other callbacks, so that the score is there.)
    A file replaces the one before only once it is complete.

    Args:
        dirpath: folder for the checkpoints.
        every_n_epochs: how often `last.ckpt` is written.
        every_n_steps: also within epochs, counted in batches; None for not.
    """

    def __init__(self, dirpath: str, every_n_epochs: int = 1, every_n_steps: int | None = None) -> None:
        self.dirpath = Path(dirpath)
        self.every_n_epochs = whole_number("callbacks.checkpoint.every_n_epochs", every_n_epochs)
        key = "callbacks.checkpoint.every_n_steps"
        self.every_n_steps = None if every_n_steps is None else whole_number(key, every_n_steps)
        self.best_score = float("inf")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write `last.ckpt` at every n-th batch."""
        if self.every_n_steps and trainer.global_step % self.every_n_steps == 0:
            self._save(trainer, "last.ckpt")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write `best.ckpt` if the score that has just been measured is the lowest so far."""
        who = scorer(trainer)
        if who is not None and who.score is not None and who.score < self.best_score:
            self.best_score = who.score
            self._save(trainer, "best.ckpt")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write `last.ckpt` at every n-th epoch and at the last."""
        if is_due(trainer, self.every_n_epochs):
            self._save(trainer, "last.ckpt")

    def _save(self, trainer: Trainer, name: str) -> None:
        path = self.dirpath / name
        unfinished = path.with_suffix(".tmp")
        trainer.save_checkpoint(unfinished, weights_only=False)  # on all processes; the first one writes
        if trainer.is_global_zero:
            unfinished.replace(path)

    def state_dict(self) -> dict[str, Any]:
        """The score to beat."""
        return {"best_score": self.best_score}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on comparing with the score to beat."""
        self.best_score = state_dict["best_score"]
