"""The drifting model."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn

from genlab.bounds import AtLeastTwo, PositiveInt
from genlab.conditioning import given
from genlab.losses.drifting import Drift
from genlab.models.base import ImageModel, Network


class Drifting(ImageModel):
    """Generative modeling via drifting (Deng et al. 2026, algorithm 1).

    A generator f without an adversary: samples x = f(z) regress to x + V, where V attracts them to the images of the
    batch and repels them from each other, in several spaces of features at once. Each process compares its own samples
    with its own batch. Where there are labels, pairs of an image and its label drift to those of the data.

    Args:
        generator: makes a network latent_shape -> image_shape: f.
        drift: the loss of samples beside reals.
        features: maps of images in whose outputs distances are measured, by their names; fixed, and differentiable.
        n_fakes: samples of a step; the reals are the batch, and want to be more.
        image_shape, latent_dim, common: see `ImageModel`.
    """

    def __init__(
        self,
        image_shape: Iterable[int],
        latent_dim: PositiveInt | None,
        generator: Network,
        drift: Drift,
        features: Mapping[str, nn.Module],
        n_fakes: AtLeastTwo = 128,
        **common: Any,
    ) -> None:
        super().__init__(image_shape, latent_dim, **common)
        self.generator = self.network(generator, self.latent_shape, self.image_shape)
        self.drift, self.n_fakes = drift, n_fakes
        self.features = nn.ModuleDict(features).requires_grad_(False)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Map codes (B, *latent_shape), and labels where there are any, to images (B, C, H, W) in [-1, 1]: f(z)."""
        return self.generator(z, **given(y)).float()

    def losses(self, x: Tensor, generator: Generator | None = None, y: Tensor | None = None) -> dict[str, Tensor]:
        """The loss of `n_fakes` samples beside images (B, C, H, W), mean over features, and the mean size of V.

        Samples get the labels of the images, one after the other.
        """
        labels = None if y is None else y[torch.arange(self.n_fakes, device=y.device) % len(y)]
        fake = self.decode(self.prior(self.n_fakes, generator), labels)
        vectors = [self.condition.vectors(part) for part in (labels, y) if self.condition and part is not None]
        found = [torch.stack(self.drift(f(fake), f(x), *vectors)) for f in self.features.values()]
        loss, size = torch.stack(found).mean(0)
        return {"loss": loss, "drift": size}

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Move the samples along V."""
        x, y = self.told(batch)
        losses = self.losses(x, self.noise, y)
        self.log_training(losses)
        return losses["loss"]

    def inference_networks(self) -> Mapping[str, nn.Module]:
        """The generator alone."""
        return {"generator": self.generator}
