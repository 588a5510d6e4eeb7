"""Runs of known mathematics, to look at: an image's first pixels are its code, and a code's are its image."""

from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from genlab.data import ImageDataModule
from genlab.protocols import LoadedRun, Source, Split

SIDE = 8


class Known(Source):
    """The same images (N, 1, 8, 8) and labels in every split."""

    def __init__(self, images: Tensor, labels: Tensor, **named: Any) -> None:
        self.images, self.labels = images, labels
        vars(self).update(named)

    def __call__(self, size: int, channels: int, limit: int | None = None) -> dict[str, Split]:
        return dict.fromkeys(("train", "val", "test"), Split(self.images, self.labels))


class Decoder:
    """Writes entry i of a code, times `weights[i]`, into pixel i of a grey image."""

    image_shape, weights_in_use, device = (1, SIDE, SIDE), "raw", torch.device("cpu")

    def __init__(self, weights: list[float]) -> None:
        self.weights, self.latent_dim, self.latent_shape = torch.tensor(weights), len(weights), (len(weights),)

    def prior(self, n: int, generator: Generator | None = None) -> Tensor:
        return torch.randn(n, self.latent_dim, generator=generator)

    def prior_moments(self) -> tuple[Tensor, Tensor]:
        return torch.zeros(self.latent_dim), torch.ones(self.latent_dim)

    def decode(self, z: Tensor) -> Tensor:
        images = torch.zeros(len(z), SIDE * SIDE)
        images[:, : self.latent_dim] = z * self.weights
        return images.view(-1, *self.image_shape)

    def sample(self, n: int, generator: Generator | None = None) -> Tensor:
        return self.decode(self.prior(n, generator))


class Linear(Decoder):
    """With the encoder that inverts it."""

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, : self.latent_dim] / self.weights

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class Collapsed(Linear):
    """With a posterior of mean 0 and known log variances, whatever the image."""

    def __init__(self, logvar: list[float]) -> None:
        super().__init__([1.0] * len(logvar))
        self.logvar = torch.tensor(logvar)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros(len(x), self.latent_dim), self.logvar.expand(len(x), -1)


def images_of(levels: Tensor) -> Tensor:
    """Uint8 images (N, 1, 8, 8) whose first pixels have the given levels (N, n), and the others 0."""
    images = torch.zeros(len(levels), SIDE * SIDE, dtype=torch.uint8)
    images[:, : levels.shape[1]] = levels.to(torch.uint8)
    return images.view(-1, 1, SIDE, SIDE)


def run_of(model: Any, levels: Tensor, labels: Tensor | None = None, **named: Any) -> LoadedRun:
    """A run with a model and images whose first pixels are known; `named` are attributes of the source."""
    labels = torch.zeros(len(levels), dtype=torch.int64) if labels is None else labels
    source = Known(images_of(levels), labels, **named)
    data = ImageDataModule(source, "known", 1, SIDE, (1, SIDE, SIDE), batch_size=2)
    return LoadedRun(model, data, {}, Path("nowhere.ckpt"))
