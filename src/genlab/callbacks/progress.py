"""The progress bar."""

from time import perf_counter
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import RichProgressBar
from rich import get_console

from genlab.bounds import PositiveInt
from genlab.console import PLAIN
from genlab.trainer.schedule import newest_score

NARROW = 100  # columns of a terminal below which the bar itself is short, so that all takes one line


class Progress(RichProgressBar):
    """Lightning's rich bar with the newest score, and images instead of updates of the bar per second."""

    def __init__(self, refresh_rate: PositiveInt = 10) -> None:
        super().__init__(refresh_rate=refresh_rate, console_kwargs=PLAIN)
        self._start, self._speed = (perf_counter(), 0), 0.0  # at the start of the epoch, or of a resumed run

    def configure_columns(self, trainer: Trainer) -> list[Any]:
        """Epoch, bar, batches and times; what `get_metrics` gives comes behind."""
        epoch, bar, batches, times, *_ = super().configure_columns(trainer)
        bar.bar_width = 10 if get_console().width < NARROW else 30
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
        """The newest score, images per second, and what a model logs with `prog_bar`."""
        newest, metrics = newest_score(trainer), super().get_metrics(trainer, pl_module)
        score = {"score": f"{newest[1]:.4g}"} if newest else {}
        return {**score, "images/s": f"{self._speed:.0f}"} | {k: v for k, v in metrics.items() if k != "v_num"}
