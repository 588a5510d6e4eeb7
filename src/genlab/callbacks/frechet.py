"""The Fréchet distance between samples and a reference split, at intervals."""

import logging
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Generator

from genlab.callbacks.state import is_due
from genlab.errors import UsageError, unknown, whole_number
from genlab.images import to_uint8
from genlab.loggers import WandbLogger
from genlab.metrics.frechet import frechet_distance
from genlab.metrics.reference import identity, reference_moments
from genlab.moments import Moments
from genlab.protocols import FeatureEncoder, Samples, require

log = logging.getLogger(__name__)


class FrechetDistance(Callback):
    """Scores a model by the distance of its samples to a split of the data, in the features of an encoder.

    Logged as `val/fid` for Inception and as `val/fd_NAME` for other encoders, and as `test/...` by eval.py.
    Its value falls with the number of samples: compare values of the same protocol alone.

    Args:
        encoder: the feature encoder.
        n_samples: how many samples are scored, over all processes.
        batch_size: images at a time, through the model and the encoder.
        every_n_epochs: how often, besides at the end.
        reference: split that the samples are compared with; the literature takes `train`.
        cache_dir: folder for the moments of the reference; None recomputes them in every run.
        seed: fixes the codes.
    """

    def __init__(
        self,
        encoder: FeatureEncoder,
        n_samples: int = 1000,
        batch_size: int = 100,
        every_n_epochs: int = 10,
        reference: str = "train",
        cache_dir: str | None = None,
        seed: int = 0,
    ) -> None:
        self.encoder, self.reference, self.seed = encoder, reference, seed
        self.n_samples = whole_number("callbacks.frechet.n_samples", n_samples, 2)
        self.batch_size = whole_number("callbacks.frechet.batch_size", batch_size)
        self.every_n_epochs = whole_number("callbacks.frechet.every_n_epochs", every_n_epochs)
        self.cache_dir = Path(cache_dir) if cache_dir else None
        self.score_key = f"val/{encoder.metric}"
        self.score: float | None = None  # of the evaluation that is ending, None if it was not due
        self.protocol: dict[str, Any] = {}
        self._reference_moments: Moments | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse a model that can't sample, or an unknown split."""
        require(pl_module, Samples, "callbacks.frechet", "remove it with ~callbacks.frechet")
        splits = ["train", "val", "test"]
        if self.reference not in splits:
            raise UsageError(unknown("split for callbacks.frechet.reference", self.reference, splits))

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell W&B to keep the smallest value in its summary."""
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.keep_minimum(self.score_key)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Score, if it is time to."""
        self.score = self._measure(trainer, pl_module, "val") if is_due(trainer, self.every_n_epochs) else None

    def on_test_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Score."""
        self._measure(trainer, pl_module, "test")

    @torch.no_grad()
    def _measure(self, trainer: Trainer, pl_module: Any, phase: str) -> float:
        reference = self._reference(trainer, pl_module.device)
        mine = pl_module.prior(self.n_samples, Generator().manual_seed(self.seed))
        mine = mine[trainer.global_rank :: trainer.world_size]  # the same codes in all, however many processes
        moments = Moments(self.encoder.dim, torch.float64)
        for z in mine.split(self.batch_size):
            moments.update(self.encoder(to_uint8(pl_module.decode(z))).cpu())
        moments = moments.gathered()
        score = frechet_distance(reference, moments)
        self.protocol = {
            "metric": self.encoder.metric,
            "encoder": identity(self.encoder),
            "data": trainer.datamodule.name,  # type: ignore[attr-defined]
            "image_shape": list(pl_module.image_shape),
            "reference": self.reference,
            "n_real": reference.n,
            "n_fake": moments.n,
            "seed": self.seed,
            "weights": pl_module.weights_in_use,
        }
        key = f"{phase}/{self.encoder.metric}"
        pl_module.log(key, score, sync_dist=True)  # equal on all processes
        when = f" after epoch {trainer.current_epoch + 1}" if phase == "val" else ""
        log.info("%s = %.4g%s (%s)", key, score, when, self.describe())
        return score

    def describe(self) -> str:
        """The protocol in one line."""
        note = "; fewer than the feature dimension, so only comparable at equal numbers"
        p = self.protocol
        return (
            f"{p['n_fake']} samples against {p['n_real']} {p['reference']} images of {p['data']}, "
            f"{p['weights']} weights{note if p['n_fake'] < self.encoder.dim else ''}"
        )

    def _reference(self, trainer: Trainer, device: torch.device) -> Moments:
        """Moments of the reference; on several processes the first one computes them and the others read them."""
        self.encoder.to(device)
        if self._reference_moments is None:
            images = trainer.datamodule.images(self.reference)  # type: ignore[attr-defined]
            if not trainer.is_global_zero:
                trainer.strategy.barrier("reference")
            self._reference_moments = reference_moments(images, self.encoder, self.batch_size, device, self.cache_dir)
            if trainer.is_global_zero:
                trainer.strategy.barrier("reference")
        return self._reference_moments
