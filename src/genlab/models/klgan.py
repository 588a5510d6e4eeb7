"""The autoencoder of latent diffusion with a Gaussian posterior."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Generator, Tensor

from genlab.bounds import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from genlab.devices import send
from genlab.distributed import mean_over_processes
from genlab.losses import kl_to_standard_normal
from genlab.models.adversarial import Terms
from genlab.models.autoencoding import GaussianPosterior, reparametrise
from genlab.models.base import Network
from genlab.models.first_stage import FirstStage
from genlab.models.quantized import MEMORY
from genlab.protocols import ImageDistance


class KLGAN(GaussianPosterior, FirstStage):
    """High-resolution image synthesis with latent diffusion models (Rombach et al. 2022, section 3.1, KL-reg.).

    The loss is |x - x_hat| + d(x, x_hat) + kl_weight KL(q(z|x) || N(0, I)), summed over pixels and entries of the code,
    and a discriminator on patches of reconstructions: see `FirstStage`. The KL term only keeps codes from running away;
    so, as the source rescales codes, the prior is a Gaussian with the mean and variance that each entry of the code had
    in training, over the last 100 batches or so.

    Args:
        encoder: makes a network image_shape -> `posterior_shape`: means, then log variances.
        decoder: makes a network latent_shape -> image_shape.
        discriminator: makes a network image_shape -> (1,), best one of patches.
        perceptual: d.
        kl_weight: of the KL term in nats.
        perceptual_weight: of d beside the mean absolute distance.
        adversarial_weight: of D, in norms of gradients.
        d_start: the batch from which D plays; None for that after a quarter of the run.
        image_shape, latent_dim, adversarial: see `AdversarialModel`.
    """

    code_mean: Tensor
    code_square: Tensor
    n_counted: Tensor

    def __init__(
        self,
        image_shape: Iterable[int],
        latent_dim: PositiveInt | None,
        encoder: Network,
        decoder: Network,
        discriminator: Network,
        perceptual: ImageDistance,
        kl_weight: NonNegativeFloat = 1e-6,
        perceptual_weight: NonNegativeFloat = 1.0,
        adversarial_weight: PositiveFloat = 0.5,
        d_start: NonNegativeInt | None = None,
        **adversarial: Any,
    ) -> None:
        super().__init__(image_shape, latent_dim, **adversarial)
        self.encoder = self.network(encoder, self.image_shape, self.posterior_shape)
        self.decoder = self.network(decoder, self.latent_shape, self.image_shape)
        self.discriminator = self.network(discriminator, self.image_shape, (1,))
        self.perceptual, self.perceptual_weight = perceptual, perceptual_weight
        self.kl_weight, self.adversarial_weight, self.d_start = kl_weight, adversarial_weight, d_start
        self.register_buffer("code_mean", torch.zeros(self.latent_shape))
        self.register_buffer("code_square", torch.ones(self.latent_shape))
        self.register_buffer("n_counted", torch.tensor(0))

    def autoencode(self, x: Tensor, generator: Generator | None, y: Tensor | None) -> tuple[Tensor, Terms]:
        """Reconstructions of images, both (B, C, H, W), from draws of q(z|x); and the KL term in nats, weighted too."""
        mean, logvar = self.posterior(x, y)
        z = reparametrise(mean, logvar, generator)
        if self.training:
            self.follow(z)
        kl = kl_to_standard_normal(mean, logvar).mean()
        return self.decode(z, y), {"kl": kl, "code_loss": self.kl_weight * kl}

    @torch.no_grad()
    def follow(self, z: Tensor) -> None:
        """Let the prior follow the codes (B, *latent_shape) of a batch of training images, over all processes."""
        self.n_counted += 1
        share = 1 / self.n_counted.clamp_max(MEMORY)
        self.code_mean.lerp_(mean_over_processes(z.mean(0)), share)
        self.code_square.lerp_(mean_over_processes(z.square().mean(0)), share)

    def from_noise(self, noise: Tensor) -> Tensor:
        """Map draws from N(0, I), on the CPU, to draws from the prior, both (B, *latent_shape)."""
        mean, std = self.prior_moments()
        return mean + std * send(noise, mean)

    def prior_moments(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each entry of a code in training, `latent_shape` each."""
        return self.code_mean, (self.code_square - self.code_mean.square()).clamp_min(0).sqrt()
