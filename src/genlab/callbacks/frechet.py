"""The Fréchet distance between samples and a reference split, at intervals."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import Generator

from genlab.bounds import AtLeastTwo, PositiveInt
from genlab.distributed import Interrupted
from genlab.errors import UsageError, unknown
from genlab.images import to_uint8
from genlab.loggers import WandbLogger
from genlab.metrics.population import MOST_KEPT, Population, feature_statistics, frechet_with_error
from genlab.metrics.reference import reference
from genlab.protocols import FeatureEncoder, Samples, require
from genlab.sampling import kind, sampler
from genlab.stamp import error_key, prior_of, stamp, trained_on
from genlab.trainer.schedule import is_measured, must_stop

log = logging.getLogger(__name__)


class FrechetDistance(Callback):
    """Scores a model by the distance of its samples to a split of the data, in the features of an encoder.

    Logged as `val/fid` for Inception and as `val/fd_NAME` for other encoders. Its value falls with the number of
    samples: compare values of the same protocol alone. Of at most 10,000 samples its standard error over other
    samples of the same weights is logged too, as `val/fid_error`.

    Args:
        encoder: the feature encoder.
        n_samples: how many samples are scored, over all processes.
        batch_size: images at a time, through the model and the encoder.
        every_n_epochs: how often, besides at the end.
        reference: split that the samples are compared with, or `train+val`; the literature takes the training images.
        cache_dir: folder for what is known of the reference; None describes it anew in every run.
        seed: fixes the codes.
    """

    def __init__(
        self,
        encoder: FeatureEncoder,
        n_samples: AtLeastTwo = 1000,
        batch_size: PositiveInt = 100,
        every_n_epochs: PositiveInt = 10,
        reference: str = "train",
        cache_dir: str | None = None,
        seed: int = 0,
    ) -> None:
        self.encoder, self.reference, self.seed = encoder, reference, seed
        self.n_samples = n_samples
        self.batch_size = batch_size
        self.every_n_epochs = every_n_epochs
        self.cache_dir = Path(cache_dir) if cache_dir else None
        self.score_key = f"val/{encoder.metric}"
        self.score: float | None = None  # of the evaluation that is ending, None if it was not due
        self.protocol: dict[str, Any] = {}  # of the newest score
        self._reference: Population | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse a model that can't sample, and an unknown or too small split."""
        require(pl_module, Samples, "callbacks.frechet", "remove it with ~callbacks.frechet")
        splits = ["train", "val", "test", "train+val"]
        if self.reference not in splits:
            raise UsageError(unknown("split for callbacks.frechet.reference", self.reference, splits))
        data = getattr(trainer, "datamodule", None)
        if data is not None and (n := len(data.images(self.reference))) < 2:
            raise UsageError(
                f"callbacks.frechet.reference={self.reference} has {n} image, and a distance needs 2 or more: give "
                f"{data.name} more images, or leave the score out with ~callbacks.frechet."
            )

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.keep_minimum(self.score_key)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        try:
            self.score = self._measure(trainer, pl_module) if is_measured(trainer, self.every_n_epochs) else None
        except Interrupted:
            raise SIGTERMException from None

    def _measure(self, trainer: Trainer, pl_module: Any) -> float:
        before, data = self.protocol, trainer.datamodule  # type: ignore[attr-defined]
        score, error = self.measure(pl_module, data, partial(must_stop, trainer))
        pl_module.log(self.score_key, score, sync_dist=True)  # equal on all processes
        if error is not None:
            pl_module.log(error_key(self.score_key), error, sync_dist=True)
        protocol = "" if before == self.protocol else f" ({self._described()})"
        log.info("%s = %.4g after epoch %d%s", self.score_key, score, trainer.current_epoch + 1, protocol)
        return score

    @torch.no_grad()
    def measure(
        self, model: Any, data: Any, interrupted: Callable[[], bool] = lambda: False
    ) -> tuple[float, float | None]:
        """Score a model, and leave the score's protocol in `protocol`.

        Args:
            model: fulfils `protocols.Samples`.
            data: the `ImageDataModule`.
            interrupted: whether to stop; asked before every batch.

        Returns:
            The score and its standard error; None for the latter where there are too many samples to keep.

        Raises:
            Interrupted: if `interrupted` was true.
        """
        self.encoder.to(model.device)
        how = (self.encoder, self.batch_size, model.device)
        if self._reference is None:
            self._reference = reference(data.images(self.reference), *how, self.cache_dir, interrupted=interrupted)
        samples = sampler(model, data, self.n_samples, Generator().manual_seed(self.seed))
        keep = self.n_samples <= MOST_KEPT
        fake = lambda rows: to_uint8(samples(rows))  # noqa: E731
        found = feature_statistics(fake, self.n_samples, *how, keep=keep, interrupted=interrupted)
        facts = {"n_fake": len(found), "seed": self.seed, "weights": model.weights_in_use}
        facts["trained_on"] = trained_on(model, self.encoder.name)
        facts["prior"] = prior_of(model)
        self.protocol = stamp(
            self.encoder.metric, data, self.reference, self.encoder, **facts, generated=kind(model, data)
        ).as_dict()
        return frechet_with_error(found, self._reference)

    def _described(self) -> str:
        note = "; fewer than the feature dimension, so only comparable at equal numbers"
        p = self.protocol
        trained = f", trained on {p['trained_on']}" if "trained_on" in p else ""
        return (
            f"{p['n_fake']} samples against {p['n_real']} {p['split']} images of {p['data']}, "
            f"{p['weights']} weights{trained}{note if p['n_fake'] < self.encoder.dim else ''}"
        )
