"""A callback that fails, or spoils a batch, at the moment at which it is told to."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback


class Saboteur(Callback):
    """Looks for an order before and after each step.

    Args:
        order: a file that says what to do next: `fail before`, `fail after`, or `spoil`. It is removed when it is done.
    """

    def __init__(self, order: str) -> None:
        self.order = Path(order)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Fail, or make the images NaN."""
        if self._is_told("spoil"):
            batch[0].fill_(float("nan"))
        if self._is_told("fail before"):
            raise RuntimeError("a callback has failed before a step")

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Fail."""
        if self._is_told("fail after"):
            raise RuntimeError("a callback has failed after a step")

    def _is_told(self, what: str) -> bool:
        told = self.order.is_file() and self.order.read_text() == what
        if told:
            self.order.unlink()
        return told
