"""A model without networks."""

from collections.abc import Callable
from math import prod

import torch
from torch import Tensor


class Toy:
    """Decodes codes by a function, and draws the same ones from its prior, or from N(0, I).

    Args:
        decode: from codes (B, *latent_shape) to images (B, C, H, W).
        prior: the codes (n, latent_dim).
        latent_dim: of codes of N(0, I) that are vectors.
        latent_shape: of codes of N(0, I) that are maps.
    """

    weights_in_use = "raw"
    device = torch.device("cpu")

    def __init__(
        self,
        decode: Callable[[Tensor], Tensor],
        prior: Tensor | None = None,
        latent_dim: int = 1,
        latent_shape: tuple[int, ...] = (),
    ) -> None:
        self.decode, self._prior = decode, prior
        self.latent_shape = latent_shape or ((latent_dim,) if prior is None else tuple(prior.shape[1:]))
        self.latent_dim = prod(self.latent_shape)

    @property
    def image_shape(self) -> tuple[int, ...]:
        return tuple(self.sample(1).shape[1:])

    def prior(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return torch.randn(n, *self.latent_shape, generator=generator) if self._prior is None else self._prior[:n]

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return self.decode(self.prior(n, generator))

    def prior_moments(self) -> tuple[Tensor, Tensor]:
        return torch.zeros(self.latent_shape), torch.ones(self.latent_shape)
