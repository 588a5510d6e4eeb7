"""Ends a run whose loss is NaN or infinite before the weights are, or leaves that update out."""

import logging
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import torch
import torch.distributed as dist
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer

from genlab.bounds import PositiveInt
from genlab.distributed import gathered
from genlab.errors import UsageError
from genlab.files import atomic_write, warn_on_failure
from genlab.run.folder import update_summary
from genlab.trainer.undo_buffers import UndoBuffers

log = logging.getLogger(__name__)


class Guard(Callback):
    """Looks at each loss before the update: one that is NaN or infinite would spoil all weights.

    `stop` ends the run: the checkpoints stay as they are. `skip` leaves that update out, on all processes alike, also
    where only one of them has such a loss: weights, optimiser and buffers stay as they were before it. Of a model with
    an adversary none of the batch's further updates is made either; what a player before has learnt, stands. The batch
    counts nevertheless. In how many it was so is logged as `health/skipped_updates` and is in `summary.json`.

    The first such batch is kept in `nonfinite_batch.pt` (images and labels, and the terms of the loss), with the others
    that have made the update where several do. Reading a loss
    makes a GPU wait; `every_n_steps` makes that rarer, at the price of a later stop.

    Args:
        dirpath: folder for the batch.
        every_n_steps: how often the loss is looked at, in batches.
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
        if self.skips and every_n_steps != 1:
            raise UsageError(
                f"callbacks.guard.every_n_steps={every_n_steps} with on_nonfinite=skip would let updates through that "
                "spoil all weights: type callbacks.guard.every_n_steps=1."
            )
        self.n_skipped = self.n_in_a_row = 0
        self._batches: list[Any] = []  # of the update that goes on
        self._is_due = False  # whether one of them is an n-th
        self._culprits: list[str] = []  # in the losses of this process since the last batch that closed an update
        self._left_out = False  # whether an update was left out since then, which all processes know
        self._before = UndoBuffers()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say from the start how many updates were left out."""
        if self.skips and trainer.is_global_zero:
            update_summary(self.dirpath, skipped_updates=self.n_skipped)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Remember the batch, and what it is about to change."""
        self._batches.append(batch)
        self._is_due = self._is_due or trainer.global_step % self.every_n_steps == 0
        if self.skips and not self._culprits:
            self._before.remember(pl_module)

    def on_before_backward(self, trainer: Trainer, pl_module: Any, loss: Tensor) -> None:
        """Look at the loss.

        Raises:
            UsageError: naming the terms that are not finite, where the batch is, and what usually helps.
        """
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
            self._before.put_back(pl_module)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Leave the update out on all processes if one of them has seen such a loss: without gradients none is made."""
        if self.skips and (self._left_out or _anywhere(bool(self._culprits), pl_module.device)):
            self._before.put_back(pl_module)
            optimizer.zero_grad(set_to_none=True)
            if not self._left_out:
                self._left_out = True
                self._count(trainer)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Count."""
        if pl_module.closes_update():
            self.n_in_a_row = self.n_in_a_row if self._left_out else 0
            self._batches, self._is_due, self._culprits, self._left_out = [], False, [], False
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
            what = f"In {self.max_skips} batches in a row an update was left out"
            self._stop(trainer, culprits, what)

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
        """The counts."""
        return {"n_skipped": self.n_skipped, "n_in_a_row": self.n_in_a_row}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting."""
        self.n_skipped, self.n_in_a_row = state_dict["n_skipped"], state_dict["n_in_a_row"]


def _not_finite(names: list[str]) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} not finite"


def _anywhere(here: bool, device: torch.device) -> bool:
    """Whether it is so on any process."""
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return here
    flag = torch.tensor(float(here), device=device)
    dist.all_reduce(flag, dist.ReduceOp.MAX)
    return bool(flag.item())
