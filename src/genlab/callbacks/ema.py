"""An exponential moving average of the networks that make images."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from genlab.bounds import PositiveFloat, PositiveInt
from genlab.protocols import Averageable, require
from genlab.schedules import Schedule


class EMA(Callback):
    """Averages a model's inference networks over training and puts the average in place for every evaluation.

    Buffers are averaged too (the statistics of batch normalisation), but for counters, which are copied, and for the
    singular vectors of spectral normalisation: the average finds its own. The half-life ramps up, or early samples
    would be those of an untrained network (Karras et al. 2022). An evaluation that finds no update since the one before
    makes one. Checkpoints hold the raw weights in `state_dict` and the averaged ones in `ema`.

    Args:
        half_life: images after which a weight's share in the average has halved, at any batch size; or their schedule.
        ramp_up: the half-life is at most this share of the images seen so far; None for no such bound.
        every_n_steps: batches between two updates of the average, each of which forgets as much as one at every batch
            would: an update costs about as much as the optimiser's step.
    """

    def __init__(
        self,
        half_life: PositiveFloat | Schedule = 10_000,
        ramp_up: PositiveFloat | None = 0.05,
        every_n_steps: PositiveInt = 4,
    ) -> None:
        self.half_life = half_life
        self.ramp_up = ramp_up
        self.every_n_steps = every_n_steps
        self.images_averaged = self.images_evaluated = 0  # at the newest update, and at that of the newest evaluation
        self.average: Any = None  # an AveragedModel, from `setup` on
        self._update_share = 1.0

    def decay(self, n_images: int) -> float:
        """Share of the old average that stays after n_images more."""
        seen, half_life = self.images_averaged, self.half_life
        if isinstance(half_life, Schedule):
            half_life = half_life(seen)
        if self.ramp_up is not None:
            half_life = min(half_life, self.ramp_up * seen)
        return 0.5 ** (n_images / half_life) if half_life > 0 else 0.0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if self.average is None:
            require(pl_module, Averageable, "callbacks.ema", "remove it with ~callbacks.ema")
            self.average = AveragedModel(_inference_networks(pl_module), multi_avg_fn=self._lerp, use_buffers=True)
            self.average.requires_grad_(False)
            self.average.update_parameters(_inference_networks(pl_module))  # the first call of AveragedModel copies

    def _lerp(self, average: Any, current: Any, n_averaged: Any) -> None:
        if average[0].is_floating_point():
            torch._foreach_lerp_(average, current, self._update_share)
        else:  # counters of batches
            torch._foreach_copy_(average, current)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.average.to(pl_module.device)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step % self.every_n_steps == 0:
            self._update(pl_module)

    @torch.no_grad()
    def _update(self, pl_module: Any) -> None:
        self._update_share = 1.0 - self.decay(pl_module.images_seen - self.images_averaged)
        vectors = _singular_vectors(self.average.module)
        before = [vector.clone() for vector in vectors]
        self.average.update_parameters(_inference_networks(pl_module))
        for vector, own in zip(vectors, before, strict=True):
            vector.copy_(own)
        for layer in self.average.module.modules():
            for name in self.every_n_steps * [*getattr(layer, "parametrizations", ())]:
                getattr(layer, name)  # looking at a weight is a step of power iteration: as many as training takes
        self.images_averaged = pl_module.images_seen

    def on_validation_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Put the average in place, after an update if there was none since the evaluation before."""
        if not trainer.sanity_checking:
            if self.images_evaluated == self.images_averaged < pl_module.images_seen:
                self._update(pl_module)
            self.images_evaluated = self.images_averaged
        self._swap(pl_module, "ema")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._swap(pl_module, "raw")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Put the raw weights back, should a validation have failed."""
        self._swap(pl_module, "raw")

    def _swap(self, pl_module: Any, weights: str) -> None:
        if self.average is None or pl_module.weights_in_use == weights:
            return
        networks = _inference_networks(pl_module)
        for averaged, raw in zip(_tensors(self.average.module), _tensors(networks), strict=True):
            averaged.data, raw.data = raw.data, averaged.data
        pl_module.weights_in_use = weights

    def state_dict(self) -> dict[str, Any]:
        return {"images_seen": self.images_averaged, "images_evaluated": self.images_evaluated}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.images_averaged = state_dict["images_seen"]
        self.images_evaluated = state_dict.get("images_evaluated", 0)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Keep the averaged weights, and their counts as they are: a validation may have begun with an update."""
        newest = self.average.module if self.images_averaged else _inference_networks(pl_module)
        checkpoint["ema"] = newest.state_dict()
        checkpoint["callbacks"][self.state_key] = self.state_dict()

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self.average.module.load_state_dict(checkpoint["ema"])


def _inference_networks(model: Any) -> nn.ModuleDict:
    return nn.ModuleDict(model.inference_networks())


def _singular_vectors(module: nn.Module) -> list[Tensor]:
    """Those of `spectral_norm` in torch.nn.utils.parametrizations: the mean of two unit vectors is shorter than one."""
    return [
        buffer for name, buffer in module.named_buffers() if "parametrizations" in name and name[-3:] in ("._u", "._v")
    ]


def _tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]
