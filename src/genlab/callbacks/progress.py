"""The progress bar."""

from time import perf_counter
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar

from genlab.callbacks.state import newest_score


class Progress(RichProgressBar):
    """Lightning's rich bar with images per second over this epoch and the newest score.

    Args:
        refresh_rate: batches between two updates.
    """

    def __init__(self, refresh_rate: int = 10) -> None:
        super().__init__(refresh_rate=refresh_rate)
        self._epoch_start, self._images, self._speed = perf_counter(), 0, 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start counting also where a resumed run goes on in the middle of an epoch."""
        super().on_train_start(trainer, pl_module)
        self._epoch_start = perf_counter()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start counting."""
        super().on_train_epoch_start(trainer, pl_module)
        self._epoch_start, self._images = perf_counter(), 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count, and update the bar if it is time to."""
        self._images += len(batch[0]) * trainer.world_size
        if (batch_idx + 1) % self.refresh_rate == 0 or trainer.is_last_batch:  # Lightning's bar gathers all it shows
            self._speed = self._images / (perf_counter() - self._epoch_start)
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """What the bar shows: losses, images/s, score."""
        metrics: dict[str, Any] = dict(super().get_metrics(trainer, pl_module))
        metrics.pop("v_num", None)
        metrics["images/s"] = f"{self._speed:.0f}"
        if newest := newest_score(trainer):
            metrics.pop(newest[0], None)
            metrics["score"] = f"{newest[1]:.4g}"
        return metrics
