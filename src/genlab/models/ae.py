"""The autoencoder."""

from typing import Any

import torch
from torch import Generator, Tensor

from genlab.bounds import NonNegativeFloat
from genlab.conditioning import given
from genlab.devices import send
from genlab.models.autoencoding import Autoencoder, squared_distance
from genlab.moments import Moments, symmetric_root

MOST_CORRELATED = 1024  # entries of a code of maps, whose covariances are kept


class AE(Autoencoder):
    """An encoder and a decoder that minimise the squared distance between an image and its reconstruction.

    An autoencoder has no prior. To sample from it, a Gaussian N(m, S) is fitted to the codes of the training images
    of the latest epoch, on all processes. Before the first epoch it is N(0, I). For codes of maps with more entries
    than `MOST_CORRELATED` S is diagonal: it would hold the square of their number.

    Reconstructions hand the indices of max pooling from encoder to decoder, if both have them; samples have none.

    Args:
        corruption: standard deviation of Gaussian noise on the images that are encoded in training; the clean ones
            are to be reconstructed (denoising autoencoder, Vincent et al. 2010).
        args, options: see `Autoencoder`.
    """

    code_mean: Tensor
    code_cov: Tensor

    def __init__(self, *args: Any, corruption: NonNegativeFloat = 0.0, **options: Any) -> None:
        super().__init__(*args, **options)
        self.corruption = corruption
        self.passes_indices = hasattr(self.encoder, "with_indices") and getattr(self.decoder, "keeps_indices", False)
        self.is_diagonal = len(self.latent_shape) > 1 and self.latent_dim > MOST_CORRELATED
        self.register_buffer("code_mean", torch.zeros(self.latent_dim))
        self.register_buffer(
            "code_cov", torch.ones(self.latent_dim) if self.is_diagonal else torch.eye(self.latent_dim)
        )
        self._epoch_codes = Moments(self.latent_dim, is_diagonal=self.is_diagonal)

    def from_noise(self, noise: Tensor) -> Tensor:
        """Map draws e from N(0, I) to draws from N(m, S), fitted to training codes, both (B, *latent_shape).

        z = m + S^(1/2) e with the symmetric root, the one that is unique: the same noise e keeps giving similar
        images while S changes slowly. Computed on the CPU in float64, as some devices have no eigh.
        """
        cov, flat = self.code_cov.cpu().double(), noise.double().flatten(1)
        spread = flat * cov.clamp(min=0).sqrt() if self.is_diagonal else flat @ symmetric_root(cov)
        return (self.code_mean + spread.to(self.code_mean)).unflatten(1, self.latent_shape)

    def prior_moments(self) -> tuple[Tensor, Tensor]:
        """Those of N(m, S): m, and the roots of the diagonal of S."""
        variances = self.code_cov if self.is_diagonal else self.code_cov.diagonal()
        return self.code_mean.view(self.latent_shape), variances.clamp_min(0).sqrt().view(self.latent_shape)

    def code_and_reconstruction(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map images (B, C, H, W) to their codes (B, *latent_shape) and reconstructions (B, C, H, W)."""
        if not self.passes_indices:
            z = self.encode(x, y)
            return z, self.decode(z, y)
        z, indices = self.encoder.with_indices(x, **given(y))  # type: ignore[operator]
        return z.float(), self.decoder(z, indices, **given(y)).float()

    def reconstruct(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Encode and decode images (B, C, H, W)."""
        return self.code_and_reconstruction(x, y)[1]

    def losses(self, x: Tensor, generator: Generator | None = None, y: Tensor | None = None) -> dict[str, Tensor]:
        """The squared distance ||x - x_hat||^2 of images (B, C, H, W), summed over pixels, mean over the batch."""
        return {"loss": squared_distance(x, self.reconstruct(x, y))}

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Descend the distance, and keep the moments of the codes for the Gaussian."""
        x, y = self.told(batch)
        z, x_hat = self.code_and_reconstruction(self.corrupted(x), y)
        self._epoch_codes.update(z.flatten(1))
        loss = squared_distance(x, x_hat)
        self.log_training({"loss": loss})
        return loss

    def corrupted(self, x: Tensor) -> Tensor:
        """Add noise to images (B, C, H, W)."""
        if self.corruption == 0:
            return x
        return x + self.corruption * send(torch.randn(x.shape, generator=self.noise), x)

    def on_train_epoch_start(self) -> None:
        """Start the moments of the codes anew, as the encoder has changed."""
        self._epoch_codes = Moments(self.latent_dim, device=self.device, is_diagonal=self.is_diagonal)

    def rank_state(self) -> dict[str, Any]:
        return {**super().rank_state(), "epoch_codes": self._epoch_codes.state_dict()}

    def load_rank_state(self, state: dict[str, Any]) -> None:
        super().load_rank_state(state)
        self._epoch_codes = Moments(self.latent_dim, device=self.device, is_diagonal=self.is_diagonal)
        self._epoch_codes.load_state_dict(state["epoch_codes"])

    def on_validation_start(self) -> None:
        super().on_validation_start()
        self.fit_prior()

    def on_train_epoch_end(self) -> None:
        """Fit the Gaussian, also where no validation runs."""
        self.fit_prior()

    def fit_prior(self) -> None:
        """Set m and S from the codes of this epoch, if there are two or more."""
        codes = self._epoch_codes.gathered()
        if codes.n >= 2:
            self.code_mean.copy_(codes.mean)
            self.code_cov.copy_(codes.cov)
