"""The variational autoencoder."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from genlab.errors import positive
from genlab.losses import kl_to_standard_normal
from genlab.models.base import ImageModel, Network, OptimizerFactory
from genlab.protocols import Likelihood


class VAE(ImageModel):
    """Auto-encoding variational Bayes (Kingma and Welling 2014).

    Prior p(z) = N(0, I), posterior q(z|x) = N(mu(x), diag sigma(x)^2), decoder p(x|z) = N(Psi(z), sigma^2 I).
    The loss is the negative ELBO in nats per image, E_q[-log p(x|z)] + beta KL(q(z|x) || p(z)), with one draw of z.

    Args:
        image_shape: (C, H, W).
        latent_dim: length of a code.
        encoder: makes a network image_shape -> (2 * latent_dim,): means, then log variances.
        decoder: makes a network (latent_dim,) -> image_shape: Psi.
        likelihood: p(x|z), with `nll` and `sample`.
        optimizer: makes the optimiser from parameters.
        beta: weight of the KL term, above 0; 1 is the ELBO (Higgins et al. 2017 for others).
    """

    def __init__(
        self,
        image_shape: Iterable[int],
        latent_dim: int,
        encoder: Network,
        decoder: Network,
        likelihood: Likelihood,
        optimizer: OptimizerFactory,
        beta: float = 1.0,
    ) -> None:
        super().__init__(image_shape, latent_dim)
        self.encoder = encoder(self.image_shape, (2 * latent_dim,))
        self.decoder = decoder((latent_dim,), self.image_shape)
        self.likelihood = likelihood
        self.optimizer_factory = optimizer
        self.beta = positive("model.beta", beta)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (B, C, H, W) to mu(x) and log sigma(x)^2, each (B, latent_dim)."""
        mean, logvar = self.encoder(x).chunk(2, dim=1)
        return mean, logvar

    def encode(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to the posterior means (B, latent_dim)."""
        return self.posterior(x)[0]

    def decode(self, z: Tensor) -> Tensor:
        """Map codes (B, latent_dim) to the decoder means Psi(z), images (B, C, H, W) in [-1, 1]."""
        return self.decoder(z)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Decode the posterior means of images (B, C, H, W)."""
        return self.decode(self.encode(x))

    def sample(self, n: int, generator: Generator | None = None, noise: bool = False) -> Tensor:
        """Draw n images (n, C, H, W): decoder means, or with `noise` draws from p(x|z), which may leave [-1, 1]."""
        mean = super().sample(n, generator)
        return self.likelihood.sample(mean, generator) if noise else mean

    def losses(self, x: Tensor, generator: Generator | None = None) -> dict[str, Tensor]:
        """The negative ELBO of images (B, C, H, W) and its two terms, in nats per image, mean over the batch."""
        mean, logvar = self.posterior(x)
        z = reparametrise(mean, logvar, generator)
        nll = self.likelihood.nll(x, self.decode(z)).mean()
        kl = kl_to_standard_normal(mean, logvar).mean()
        return {"loss": nll + self.beta * kl, "nll": nll, "kl": kl}

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Descend the negative ELBO."""
        x, _ = batch
        losses = self.losses(x, self.noise)
        self.log_training(losses)
        return losses["loss"]

    def inference_networks(self) -> Mapping[str, nn.Module]:
        """Encoder and decoder."""
        return {"encoder": self.encoder, "decoder": self.decoder}

    def configure_optimizers(self) -> Optimizer:
        """One optimiser for both networks."""
        return self.optimizer_factory(self.parameters())


def reparametrise(mean: Tensor, logvar: Tensor, generator: Generator | None = None) -> Tensor:
    """Draw z = mean + exp(logvar / 2) e with e ~ N(0, I), differentiable in both; all (B, latent_dim)."""
    noise = torch.randn(mean.shape, generator=generator).to(mean)
    return mean + (0.5 * logvar).exp() * noise
