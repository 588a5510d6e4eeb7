"""What models with an encoder share."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn

from genlab.bounds import PositiveInt
from genlab.conditioning import given
from genlab.devices import send
from genlab.models.base import ImageModel, Network


class EncoderDecoder:
    """Encoding and reconstruction, mixed into an `ImageModel` with both networks."""

    encoder: nn.Module
    decoder: nn.Module

    def encode(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Map images (B, C, H, W), and labels where there are any, to codes (B, *latent_shape)."""
        return self.encoder(x, **given(y)).float()

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Map codes (B, *latent_shape), and labels where there are any, to images (B, C, H, W) in [-1, 1]."""
        return self.decoder(z, **given(y)).float()

    def reconstruct(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Encode and decode images (B, C, H, W)."""
        return self.decode(self.encode(x, **given(y)), **given(y))

    def inference_networks(self) -> Mapping[str, nn.Module]:
        """Encoder and decoder."""
        return {"encoder": self.encoder, "decoder": self.decoder}


class Autoencoder(EncoderDecoder, ImageModel):
    """A model with a deterministic encoder.

    Args:
        encoder: makes a network image_shape -> latent_shape.
        decoder: makes a network latent_shape -> image_shape.
        image_shape, latent_dim, common: see `ImageModel`.
    """

    def __init__(
        self,
        image_shape: Iterable[int],
        latent_dim: PositiveInt | None,
        encoder: Network,
        decoder: Network,
        **common: Any,
    ) -> None:
        super().__init__(image_shape, latent_dim, **common)
        self.encoder = self.network(encoder, self.image_shape, self.latent_shape)
        self.decoder = self.network(decoder, self.latent_shape, self.image_shape)


class GaussianPosterior(EncoderDecoder):
    """With an encoder image_shape -> `posterior_shape` that gives q(z|x) = N(mu(x), diag sigma(x)^2)."""

    latent_shape: tuple[int, ...]

    @property
    def posterior_shape(self) -> tuple[int, ...]:
        """That of what the encoder makes, (2 * latent_dim,) for a vector: means, then log variances."""
        return (2 * self.latent_shape[0], *self.latent_shape[1:])

    def posterior(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map images (B, C, H, W), and labels if it takes any, to mu(x) and log sigma(x)^2, each (B, *latent_shape)."""
        mean, logvar = self.encoder(x, **given(y)).float().chunk(2, dim=1)
        return mean, logvar

    def encode(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Map images (B, C, H, W) to the posterior means (B, *latent_shape)."""
        return self.posterior(x, **given(y))[0]


def reparametrise(mean: Tensor, logvar: Tensor, generator: Generator | None = None) -> Tensor:
    """Draw z = mean + exp(logvar / 2) e with e ~ N(0, I), differentiable in both; all (B, *latent_shape)."""
    noise = send(torch.randn(mean.shape, generator=generator), mean)
    return mean + (0.5 * logvar).exp() * noise


def squared_distance(x: Tensor, x_hat: Tensor) -> Tensor:
    """||x - x_hat||^2 of images or features (B, ...), summed over their entries, mean over the batch: a scalar."""
    return (x - x_hat).square().flatten(1).sum(1).mean()
