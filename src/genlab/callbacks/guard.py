"""Ends a run whose loss is NaN or infinite before the weights are, or leaves that update out."""

import logging
from copy import deepcopy
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer

from genlab.bounds import PositiveInt
from genlab.distributed import gathered
from genlab.errors import UsageError
from genlab.files import atomic_write, warn_on_failure
from genlab.run.folder import update_summary

log = logging.getLogger(__name__)


class Guard(Callback):
    """Looks at each loss before the update: one that is NaN or infinite would spoil all weights.

    `stop` ends the run: the checkpoints stay as they are. `skip` leaves that update out on all processes, also where
    only one of them has such a loss: weights, optimiser and buffers stay as they were before it. Of a model with an
    adversary none of the batch's further updates is made either. `health/skipped_updates` counts them.

    The first such batch is kept in `nonfinite_batch.pt`: images, labels and the terms of the loss, together with the
    other batches of the update where several make one.

    Args:
        dirpath: folder for the batch.
        every_n_steps: how often the loss is looked at, in batches: reading it makes a GPU wait. Always with `skip`.
        on_nonfinite: `stop` or `skip`.
        max_skips: batches in a row with an update that was left out, after which the run stops nevertheless.
    """

    def __init__(
        self,
        dirpath: str,
        every_n_steps: PositiveInt = 1,
        on_nonfinite: Literal["stop", "skip"] = "stop",
        max_skips: PositiveInt = 10,
    ) -> None:
        self.dirpath = Path(dirpath)
        self.every_n_steps = every_n_steps
        self.max_skips = max_skips
        self.skips = on_nonfinite == "skip"
        if self.skips:
            self.every_n_steps = 1  # or updates that spoil all weights would pass
        self.n_skipped = self.n_in_a_row = 0
        self._buffers: list[Tensor] = []  # before the batch: the running statistics of batch normalisation
        self._rank_state: dict[str, Any] = {}  # what else a model counts in a batch, before it
        self._start_update()

    def _start_update(self) -> None:
        self._batches: list[Any] = []  # of the current update
        self._is_due = False  # whether one of them is an n-th
        self._culprits: list[str] = []  # terms of this process's losses that are not finite
        self._left_out = False  # whether the update is left out, on all processes

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.skips and trainer.is_global_zero:
            update_summary(self.dirpath, skipped_updates=self.n_skipped)

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Remember the batch, and what it is about to change besides weights."""
        self._batches.append(batch)
        self._is_due = self._is_due or trainer.global_step % self.every_n_steps == 0
        if self.skips and not self._culprits:
            self._buffers = [buffer.clone() for buffer in pl_module.buffers()]
            self._rank_state = deepcopy(pl_module.rank_state())

    def _undo(self, pl_module: Any) -> None:
        for buffer, before in zip(pl_module.buffers(), self._buffers, strict=True):
            buffer.data.copy_(before)  # unseen by autograd, which may still have to go through graphs of this batch
        pl_module.load_rank_state(self._rank_state)

    def on_before_backward(self, trainer: Trainer, pl_module: Any, loss: Tensor) -> None:
        """Look at the loss; a UsageError names the terms that are not finite."""
        if not self._is_due or isfinite(loss.item()):
            return
        terms = {name: value.item() for name, value in pl_module.terms.items()}
        self._culprits = [name for name, value in terms.items() if not isfinite(value)] or ["loss"]
        if not self.skips or self.n_skipped == 0:
            self._keep_batch(trainer, terms)
        if not self.skips:
            self._stop(trainer, self._culprits, "The update was not made")

    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put back at once what the forward pass has changed: averages are taken before the update is due."""
        if self.skips and self._culprits:
            self._undo(pl_module)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Leave the update out on all processes if one of them has seen such a loss: without gradients none is made."""
        if self.skips and (self._left_out or trainer.strategy.reduce_boolean_decision(bool(self._culprits), all=False)):
            self._undo(pl_module)
            optimizer.zero_grad(set_to_none=True)
            if not self._left_out:
                self._left_out = True
                self._count(trainer)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if pl_module.is_last_accumulation():
            self.n_in_a_row = self.n_in_a_row if self._left_out else 0
            self._start_update()
        if self.skips:
            pl_module.note({"health/skipped_updates": torch.tensor(float(self.n_skipped))})

    def _count(self, trainer: Trainer) -> None:
        self.n_skipped, self.n_in_a_row = self.n_skipped + 1, self.n_in_a_row + 1
        culprits = sorted({name for part in gathered(self._culprits) for name in part})
        if trainer.is_global_zero:
            update_summary(self.dirpath, skipped_updates=self.n_skipped)
        if trainer.is_global_zero and self.n_skipped == 1:
            log.warning(
                "At batch %d %s: the update is left out, as those will be that are like it; health/skipped_updates "
                "counts them. The batch is in %s/nonfinite_batch*.pt.",
                trainer.global_step,
                _not_finite(culprits),
                self.dirpath,
            )
        if self.n_in_a_row >= self.max_skips:
            self._stop(trainer, culprits, f"In {self.max_skips} batches in a row an update was left out")

    def _keep_batch(self, trainer: Trainer, terms: dict[str, float]) -> None:
        x, y = (torch.cat(part) for part in zip(*self._batches, strict=True))
        path = self.dirpath / f"nonfinite_batch{'' if trainer.is_global_zero else f'_{trainer.global_rank}'}.pt"
        with warn_on_failure(path.name), atomic_write(path) as unfinished:
            torch.save({"x": x.cpu(), "y": y.cpu(), "terms": terms}, unfinished)

    def _stop(self, trainer: Trainer, culprits: list[str], what: str) -> None:
        raise UsageError(
            f"Training has diverged at batch {trainer.global_step}: {_not_finite(culprits)}. {what}, the last "
            f"checkpoint is good, and the batch is in {self.dirpath}/nonfinite_batch*.pt: try a smaller "
            "model.optimizer.lr, or trainer.precision=32-true."
        )

    def state_dict(self) -> dict[str, Any]:
        return {"n_skipped": self.n_skipped, "n_in_a_row": self.n_in_a_row}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.n_skipped, self.n_in_a_row = state_dict["n_skipped"], state_dict["n_in_a_row"]


def _not_finite(names: list[str]) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} not finite"
