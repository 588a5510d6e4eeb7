"""One Gaussian."""

from collections.abc import Iterator

import torch
from torch import Tensor

from genlab.moments import Moments, symmetric_root
from genlab.priors.density import Density, check_covariance
from genlab.protocols import Samples


class Gaussian(Density):
    """N(m, S) with the mean and the covariance of the codes."""

    mean: Tensor
    root: Tensor

    def __init__(self, model: Samples) -> None:
        super().__init__(model)
        check_covariance(self)
        self.register_buffer("mean", torch.zeros(self.latent_dim))
        self.register_buffer("root", torch.eye(self.latent_dim))

    def fit(self, codes: Tensor, seed: int) -> Iterator[float]:
        moments = Moments(self.latent_dim, torch.float64)
        moments.update(codes.flatten(1))
        self.mean.copy_(moments.mean)
        self.root.copy_(symmetric_root(moments.cov))
        yield 1.0

    def from_noise(self, noise: Tensor) -> Tensor:
        """z = m + S^(1/2) e with the symmetric root."""
        return (self.mean + noise.to(self.mean) @ self.root).unflatten(1, self.latent_shape)

    def prior_moments(self) -> tuple[Tensor, Tensor]:
        std = self.root.square().sum(1).sqrt()  # the diagonal of S^(1/2) S^(1/2)
        return self.mean.view(self.latent_shape), std.view(self.latent_shape)
