"""Ends a run whose loss is no number any more, before the weights are none either."""

from math import isfinite
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from genlab.errors import UsageError, whole_number


class Guard(Callback):
    """Stops training at a loss that is infinite or no number, before the update that it would spoil all weights with.

    The batch is kept in `nonfinite_batch.pt` (images and labels, and the terms of the loss), and the checkpoints stay
    as they are. Reading a loss makes a GPU wait; `every_n_steps` makes that rarer, at the price of a later stop.

    Args:
        dirpath: folder for the batch.
        every_n_steps: how often the loss is looked at, in batches.
    """

    def __init__(self, dirpath: str, every_n_steps: int = 1) -> None:
        self.dirpath = Path(dirpath)
        self.every_n_steps = whole_number("callbacks.guard.every_n_steps", every_n_steps)
        self._batch: Any = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Remember the batch."""
        self._batch = batch

    def on_before_backward(self, trainer: Trainer, pl_module: Any, loss: Tensor) -> None:
        """Look at the loss.

        Raises:
            UsageError: naming the terms that are not finite, where the batch is, and what usually helps.
        """
        if trainer.global_step % self.every_n_steps or isfinite(loss.item()):
            return
        terms = {name: value.item() for name, value in pl_module.terms.items()}
        culprits = [name for name, value in terms.items() if not isfinite(value)] or ["loss"]
        x, y = self._batch
        path = self.dirpath / f"nonfinite_batch{'' if trainer.is_global_zero else f'_{trainer.global_rank}'}.pt"
        torch.save({"x": x.cpu(), "y": y.cpu(), "terms": terms}, path)
        raise UsageError(
            f"Training has diverged at batch {trainer.global_step}: {' and '.join(culprits)} "
            f"{'is' if len(culprits) == 1 else 'are'} not finite. The update was not made, the last checkpoint is "
            f"good, and the batch is in {path}: try a smaller model.optimizer.lr, or trainer.precision=32-true."
        )
