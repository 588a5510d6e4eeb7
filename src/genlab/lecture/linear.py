"""A VAE whose evidence and posterior are known: linear networks and Gaussians (probabilistic PCA)."""

from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor
from torch.distributions import Independent, MultivariateNormal, Normal

from genlab.losses import Gaussian
from genlab.models import VAE
from genlab.networks import MLP

SHAPE, LATENT_DIM, SIGMA = (1, 2, 3), 2, 0.5


class LinearVAE(VAE):
    """Our VAE with networks of one linear layer each: p(x|z) = N(Wz + b, sigma^2 I).

    The columns of W are orthogonal, so the posterior p(z|x) = N(M^-1 W'(x - b) / sigma^2, M^-1), with
    M = I + W'W / sigma^2, has a diagonal covariance and is among the q(z|x) of the encoder (Tipping and Bishop 1999).
    """

    @property
    def w(self) -> Tensor:
        """W, (D, latent_dim)."""
        return self._linear(self.decoder).weight.detach()

    @property
    def b(self) -> Tensor:
        """b, (D,)."""
        return self._linear(self.decoder).bias.detach()

    @staticmethod
    def _linear(network: Any) -> Any:
        return network.layers[1]

    def known_posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of p(z|x), each (B, latent_dim)."""
        precision = 1 + self.w.square().sum(0) / SIGMA**2
        return (x.flatten(1) - self.b) @ self.w / SIGMA**2 / precision, -precision.log().expand(len(x), -1)

    def evidence(self, x: Tensor) -> Tensor:
        """log p(x) = log N(x; b, WW' + sigma^2 I), (B,) in nats."""
        cov = self.w @ self.w.T + SIGMA**2 * torch.eye(len(self.b))
        return MultivariateNormal(self.b, cov).log_prob(x.flatten(1))

    def encode_at(self, share: float) -> None:
        """Have the encoder give the posterior with mean and log variance times 1 - share: the prior for share = 1."""
        precision = 1 + self.w.square().sum(0) / SIGMA**2
        to_mean = self.w.T / SIGMA**2 / precision[:, None]
        layer, zeros = self._linear(self.encoder), torch.zeros_like(to_mean)
        layer.weight.data.copy_((1 - share) * torch.cat([to_mean, zeros]))
        layer.bias.data.copy_((1 - share) * torch.cat([-to_mean @ self.b, -precision.log()]))

    def known_gap(self, x: Tensor) -> Tensor:
        """KL(q(z|x) || p(z|x)), which the ELBO lies below the evidence: (B,) in nats."""
        q, p = (
            Independent(Normal(mean, (0.5 * logvar).exp()), 1)
            for mean, logvar in (self.posterior(x), self.known_posterior(x))
        )
        return torch.distributions.kl_divergence(q, p)


def linear_vae() -> LinearVAE:
    """The same model every time, with the exact posterior for an encoder; no weight wants a gradient."""
    linear = partial(MLP, depth=0)
    model = LinearVAE(SHAPE, LATENT_DIM, linear, linear, Gaussian(SIGMA), optimizer=partial(torch.optim.Adam))
    generator = Generator().manual_seed(0)
    directions, _ = torch.linalg.qr(torch.randn(6, LATENT_DIM, generator=generator))
    layer = model._linear(model.decoder)
    layer.weight.data.copy_(directions * torch.tensor([1.5, 0.8]))
    layer.bias.data.copy_(torch.randn(6, generator=generator))
    model.encode_at(0.0)
    return model.requires_grad_(False)
