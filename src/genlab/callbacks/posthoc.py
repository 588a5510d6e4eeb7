"""Averages of the weights from which one of any length can be put together after training."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from genlab.bounds import PositiveInt, Width
from genlab.files import warn_on_failure
from genlab.protocols import Averageable, require
from genlab.run.profiles import decay, exponent, store


class PostHocEMA(Callback):
    """Follows power-function averages of the inference networks and stores them at intervals (Karras et al. 2024).

    Training, scores and pictures are as without it: `eval.py ema=0.1` puts an average together from what is stored.

    Args:
        dirpath: folder for the files.
        widths: relative widths of the averages that are followed.
        every_n_images: how often they are stored, besides at the end.
        every_n_steps: batches between two updates, each of which forgets as much as one at every batch would.
    """

    def __init__(
        self,
        dirpath: str,
        widths: Sequence[Width] = (0.05, 0.1),
        every_n_images: PositiveInt = 10_000,
        every_n_steps: PositiveInt = 4,
    ) -> None:
        self.dirpath = Path(dirpath)
        self.gammas = {float(width): exponent(width) for width in widths}
        self.every_n_images, self.every_n_steps = every_n_images, every_n_steps
        self.averages: dict[float, dict[str, Tensor]] = {}  # by width
        self.images_averaged = self.images_stored = 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        require(pl_module, Averageable, "callbacks.posthoc", "remove it with ~callbacks.posthoc")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin, or go on; what an interrupted run has stored after the checkpoint it goes on from is written again."""
        newest = _tensors(pl_module)
        stored = self.averages or dict.fromkeys(self.gammas, newest)
        self.averages = {
            width: {key: value.to(newest[key].device, copy=True) for key, value in average.items()}
            for width, average in stored.items()
        }
        if trainer.is_global_zero:
            for path in self.dirpath.glob("*.pt"):
                if path.stem.isdigit() and int(path.stem) > self.images_stored:
                    path.unlink()

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        is_due = pl_module.images_seen // self.every_n_images > self.images_stored // self.every_n_images
        if is_due or trainer.global_step % self.every_n_steps == 0:
            self._update(pl_module)
        if is_due:
            self._store(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        if self.averages and pl_module.images_seen > self.images_stored:
            self._update(pl_module)
            self._store(trainer)

    @torch.no_grad()
    def _update(self, pl_module: Any) -> None:
        n, newest = pl_module.images_seen - self.images_averaged, _tensors(pl_module)
        if n == 0:
            return
        for width, average in self.averages.items():
            share = 1 - decay(n, pl_module.images_seen, self.gammas[width])
            for key, value in average.items():
                if value.is_floating_point():
                    value.lerp_(newest[key], share)
                else:
                    value.copy_(newest[key])
        self.images_averaged = pl_module.images_seen

    def _store(self, trainer: Trainer) -> None:
        self.images_stored = self.images_averaged
        if trainer.is_global_zero:
            averages = {w: {k: v.cpu() for k, v in average.items()} for w, average in self.averages.items()}
            with warn_on_failure(str(self.dirpath)):
                store(self.dirpath, self.images_stored, averages)

    def state_dict(self) -> dict[str, Any]:
        return {"images_averaged": self.images_averaged, "images_stored": self.images_stored}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.images_averaged, self.images_stored = state_dict["images_averaged"], state_dict["images_stored"]

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["profiles"] = self.averages

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self.averages = checkpoint.get("profiles", {})


def _tensors(pl_module: Any) -> dict[str, Tensor]:
    """Those of the inference networks, by their names in the model."""
    networks = pl_module.inference_networks()
    return {f"{name}.{key}": value for name, part in networks.items() for key, value in part.state_dict().items()}
