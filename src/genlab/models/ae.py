"""The autoencoder."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from genlab.models.base import ImageModel, Network, OptimizerFactory
from genlab.moments import Moments, symmetric_root


class AE(ImageModel):
    """An encoder and a decoder that minimise the squared distance between an image and its reconstruction.

    An autoencoder has no prior. To sample from it, a Gaussian N(m, S) is fitted to the codes of the training images:
    those that the latest epoch of training computed, on all processes. Before the first epoch it is N(0, I).

    Args:
        image_shape: (C, H, W).
        latent_dim: length of a code.
        encoder: makes a network image_shape -> (latent_dim,).
        decoder: makes a network (latent_dim,) -> image_shape.
        optimizer: makes the optimiser from parameters.
    """

    code_mean: Tensor
    code_cov: Tensor

    def __init__(
        self,
        image_shape: Iterable[int],
        latent_dim: int,
        encoder: Network,
        decoder: Network,
        optimizer: OptimizerFactory,
    ) -> None:
        super().__init__(image_shape, latent_dim)
        self.encoder = encoder(self.image_shape, (latent_dim,))
        self.decoder = decoder((latent_dim,), self.image_shape)
        self.optimizer_factory = optimizer
        self.register_buffer("code_mean", torch.zeros(latent_dim))
        self.register_buffer("code_cov", torch.eye(latent_dim))
        self._epoch_codes = Moments(latent_dim)

    def encode(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to codes (B, latent_dim)."""
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        """Map codes (B, latent_dim) to images (B, C, H, W) in [-1, 1]."""
        return self.decoder(z)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Encode and decode images (B, C, H, W)."""
        return self.decode(self.encode(x))

    def prior(self, n: int, generator: Generator | None = None) -> Tensor:
        """Draw n codes (n, latent_dim) from N(m, S), the Gaussian fitted to training codes.

        z = m + S^(1/2) e with the symmetric root, the one that is unique: the same noise e keeps giving similar
        images while S changes slowly. Computed on the CPU in float64, as some devices have no eigh.
        """
        root = symmetric_root(self.code_cov.cpu().double())
        noise = torch.randn(n, self.latent_dim, generator=generator)
        return self.code_mean + (noise.double() @ root).to(self.code_mean)

    def losses(self, x: Tensor, generator: Generator | None = None) -> dict[str, Tensor]:
        """The squared distance ||x - x_hat||^2 of images (B, C, H, W), summed over pixels, mean over the batch."""
        return {"loss": self._squared_distance(x, self.reconstruct(x))}

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Reconstruct, compare, and remember the codes for the Gaussian."""
        x, _ = batch
        z = self.encode(x)
        self._epoch_codes.update(z)
        loss = self._squared_distance(x, self.decode(z))
        self.log_training({"loss": loss})
        return loss

    @staticmethod
    def _squared_distance(x: Tensor, x_hat: Tensor) -> Tensor:
        return (x - x_hat).square().flatten(1).sum(1).mean()

    def on_train_epoch_start(self) -> None:
        """Forget the codes of the epoch before: the encoder has moved on."""
        self._epoch_codes = Moments(self.latent_dim, device=self.device)

    def on_validation_start(self) -> None:
        """Fit the Gaussian before anything is sampled."""
        super().on_validation_start()
        self.fit_prior()

    def on_train_epoch_end(self) -> None:
        """Fit the Gaussian, also where no validation runs."""
        self.fit_prior()

    def fit_prior(self) -> None:
        """Set m and S from the codes of this epoch; leaves them alone while there are fewer than two codes."""
        codes = self._epoch_codes.gathered()
        if codes.n >= 2:
            self.code_mean.copy_(codes.mean)
            self.code_cov.copy_(codes.cov)

    def inference_networks(self) -> Mapping[str, nn.Module]:
        """Encoder and decoder."""
        return {"encoder": self.encoder, "decoder": self.decoder}

    def configure_optimizers(self) -> Optimizer:
        """One optimiser for both networks."""
        return self.optimizer_factory(self.parameters())
