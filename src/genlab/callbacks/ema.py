"""An exponential moving average of the networks that make images."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from genlab.bounds import PositiveFloat, PositiveInt
from genlab.protocols import Averageable, require


class EMA(Callback):
    """Averages a model's inference networks over training and puts the average in place for every evaluation.

    Buffers are averaged too (the statistics of batch normalisation), but for counters, which are copied, and for the
    vectors from which spectral normalisation knows a weight's largest singular value: the average finds its own.

    Half-life counts images and not steps, so it means the same at any batch size. It ramps up: at the start the
    average forgets faster, or early samples would be those of an untrained network (as in Karras et al. 2022).
    Checkpoints hold the raw weights in `state_dict` and the averaged ones in `ema`.

    An evaluation that finds no update since the one before makes one, of all images that wait: however short a run or
    its epochs are, no evaluation sees an average that has rested. Before the first update the average is the newest
    weights, as it is at the first one.

    Args:
        half_life: images after which a weight's share in the average has halved.
        ramp_up: the half-life is at most this share of the images seen so far.
        every_n_steps: batches between two updates of the average, each of which forgets as much as one at every batch
            would: an update costs about as much as the optimiser's step.
    """

    def __init__(
        self, half_life: PositiveFloat = 10_000, ramp_up: PositiveFloat = 0.05, every_n_steps: PositiveInt = 4
    ) -> None:
        self.half_life = half_life
        self.ramp_up = ramp_up
        self.every_n_steps = every_n_steps
        self.images_seen = self.images_waiting = 0  # averaged in, and since then
        self.images_evaluated = 0  # averaged in at the newest evaluation
        self.average: AveragedModel | None = None
        self._update_share = 1.0

    def decay(self, n_images: int) -> float:
        """Share of the old average that stays after n_images, given the images seen before them."""
        half_life = min(self.half_life, self.ramp_up * self.images_seen)
        return 0.5 ** (n_images / half_life) if half_life > 0 else 0.0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Start the average at the initial weights."""
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
        """Follow the model to its device."""
        assert self.average is not None
        self.average.to(pl_module.device)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the average towards the new weights."""
        self.images_waiting += len(batch[0]) * trainer.world_size
        if trainer.global_step % self.every_n_steps == 0:
            self._update(pl_module)

    @torch.no_grad()
    def _update(self, pl_module: LightningModule) -> None:
        self._update_share = 1.0 - self.decay(self.images_waiting)
        self._average_in(pl_module)
        self.images_seen, self.images_waiting = self.images_seen + self.images_waiting, 0

    def _average_in(self, pl_module: LightningModule) -> None:
        assert self.average is not None
        vectors = _singular_vectors(self.average.module)
        before = [vector.clone() for vector in vectors]
        self.average.update_parameters(_inference_networks(pl_module))
        for vector, own in zip(vectors, before, strict=True):
            vector.copy_(own)
        for layer in self.average.module.modules():
            for name in self.every_n_steps * [*getattr(layer, "parametrizations", ())]:
                getattr(layer, name)  # looking at a weight is a step of power iteration: as many as training takes

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the average in place, after an update if there was none since the evaluation before."""
        if self.images_waiting and self.images_seen == self.images_evaluated:
            self._update(pl_module)
        self.images_evaluated = self.images_seen
        self._swap(pl_module, "ema")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the raw weights back."""
        self._swap(pl_module, "raw")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Put the raw weights back, should a validation have failed."""
        self._swap(pl_module, "raw")

    def _swap(self, pl_module: Any, weights: str) -> None:
        if self.average is None or pl_module.weights_in_use == weights:
            return
        networks = _inference_networks(pl_module)
        for mine, theirs in zip(_tensors(self.average.module), _tensors(networks), strict=True):
            mine.data, theirs.data = theirs.data, mine.data
        pl_module.weights_in_use = weights

    def state_dict(self) -> dict[str, Any]:
        """The counts of images that the next update needs."""
        return {name: getattr(self, name) for name in ("images_seen", "images_waiting", "images_evaluated")}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting."""
        self.images_seen = state_dict["images_seen"]
        self.images_waiting = state_dict.get("images_waiting", 0)
        self.images_evaluated = state_dict.get("images_evaluated", 0)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Keep the averaged weights under the names that they have in the model's state_dict, with their counts.

        Within a validation too, of which all else is kept as it was before it: it may have begun with an update.
        """
        assert self.average is not None
        newest = self.average.module if self.images_seen else _inference_networks(pl_module)
        checkpoint["ema"] = newest.state_dict()
        checkpoint["callbacks"][self.state_key] = self.state_dict()

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Go on averaging."""
        assert self.average is not None
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
