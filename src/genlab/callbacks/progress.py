"""The progress bar."""

from collections.abc import Mapping
from time import perf_counter
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import RichProgressBar
from rich import get_console

from genlab.console import PLAIN
from genlab.trainer.schedule import newest_score

NARROW = 100  # columns of a terminal below which the bar itself is short
TIMES = len("0:00:00 • 0:00:00")


class Progress(RichProgressBar):
    """Lightning's rich bar with the newest score, images per second over this epoch and losses.

    It takes one line: what a terminal has no room for is left out, losses first. (Lightning's own wraps at 80 columns,
    and says how many updates of the bar there are in a second.)
    """

    def __init__(self, refresh_rate: int = 10) -> None:
        super().__init__(refresh_rate=refresh_rate, console_kwargs=PLAIN)
        self._start, self._speed = (perf_counter(), 0), 0.0  # of the epoch, or where a resumed run goes on in one

    def configure_columns(self, trainer: Trainer) -> list[Any]:
        """Epoch, bar, batches and times; what `get_metrics` gives comes behind."""
        epoch, bar, batches, times, *_ = super().configure_columns(trainer)
        bar.bar_width = self._bar_width()
        return [epoch, bar, batches, times]

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        super().on_train_start(trainer, pl_module)
        self._start = perf_counter(), pl_module.images_seen

    def on_train_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
        super().on_train_epoch_start(trainer, pl_module)
        self._start = perf_counter(), pl_module.images_seen

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Update the bar if it is time to: Lightning's gathers all that it shows at every batch."""
        if (batch_idx + 1) % self.refresh_rate == 0 or trainer.is_last_batch:
            time, images = self._start
            self._speed = (pl_module.images_seen - images) / (perf_counter() - time)
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def get_metrics(self, trainer: Trainer, pl_module: Any) -> dict[str, Any]:
        """What the bar shows: score, images/s, losses; as many as fit."""
        losses: dict[str, Any] = dict(super().get_metrics(trainer, pl_module))
        losses.pop("v_num", None)
        first = {}
        if newest := newest_score(trainer):
            losses.pop(newest[0], None)
            first["score"] = f"{newest[1]:.4g}"
        first["images/s"] = f"{self._speed:.0f}"
        epoch, total = self._get_train_description(trainer.current_epoch), str(self.total_train_batches)
        taken = len(epoch) + self._bar_width() + 2 * len(total) + 1 + TIMES + 4  # a space between two of them
        return fitting(first | losses, get_console().width - taken)

    def _bar_width(self) -> int:
        return 10 if get_console().width < NARROW else 30


def fitting(metrics: Mapping[str, Any], room: int) -> dict[str, Any]:
    """The first metrics that fit into so many columns, as `name: 1.234 name: 1.234`; numbers have three decimals."""
    shown = {}
    for name, value in metrics.items():
        room -= len(f"{name}: {value if isinstance(value, str) else format(value, '.3f')} ")
        if room < -1:
            break
        shown[name] = value
    return shown
