"""A mixture of Gaussians."""

import logging
import warnings
from collections.abc import Iterator

import torch
from torch import Tensor

from genlab.bounds import PositiveInt
from genlab.errors import UsageError
from genlab.moments import symmetric_root
from genlab.priors.density import Density, check_covariance
from genlab.protocols import Samples

MOST_STEPS = 500  # of expectation and maximisation

log = logging.getLogger(__name__)


class Mixture(Density):
    """Gaussians with full covariances, fitted by expectation maximisation (Ghosh et al. 2020, section 4, for AEs).

    Args:
        model: see `Density`.
        n_components: Gaussians, at most as many as there are images.
    """

    weights: Tensor
    means: Tensor
    roots: Tensor

    def __init__(self, model: Samples, n_components: PositiveInt = 10) -> None:
        super().__init__(model)
        check_covariance(self)
        self.n_components, dim = n_components, self.latent_dim
        self.register_buffer("weights", torch.full((n_components,), 1 / n_components))
        self.register_buffer("means", torch.zeros(n_components, dim))
        self.register_buffer("roots", torch.eye(dim).repeat(n_components, 1, 1))

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """A further entry chooses the component."""
        return (self.latent_dim + 1,)

    def check(self, n_codes: int) -> None:
        super().check(n_codes)
        if self.n_components > n_codes:
            raise UsageError(
                f"prior.n_components={self.n_components} is more than the {n_codes:,} training images: type at most "
                f"prior.n_components={n_codes}."
            )

    def fit(self, codes: Tensor, seed: int) -> Iterator[float]:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        vectors = codes.flatten(1).double()
        scale = vectors.std(0).mean().clamp_min(1e-12)  # what is added to the variances is relative to the codes'
        density = GaussianMixture(self.n_components, max_iter=MOST_STEPS, reg_covar=1e-6, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            density.fit((vectors / scale).numpy())
        if not density.converged_:
            log.warning("The mixture still changes after %d steps: fewer components may do as well.", MOST_STEPS)
        self.weights.copy_(torch.from_numpy(density.weights_))
        self.means.copy_(scale * torch.from_numpy(density.means_))
        self.roots.copy_(torch.stack([scale * symmetric_root(cov) for cov in torch.from_numpy(density.covariances_)]))
        yield 1.0

    def from_noise(self, noise: Tensor) -> Tensor:
        """The last entry of the noise chooses the component, by its quantile; the others are made into a draw of it."""
        noise = noise.to(self.means)
        bounds = self.weights.cumsum(0)[:-1]
        chosen = torch.bucketize(torch.special.ndtr(noise[:, -1]), bounds)
        z = torch.zeros_like(noise[:, :-1])
        for number, (mean, root) in enumerate(zip(self.means, self.roots, strict=True)):  # at once takes much memory
            z = torch.where((chosen == number)[:, None], mean + noise[:, :-1] @ root, z)
        return z.unflatten(1, self.latent_shape)

    def prior_moments(self) -> tuple[Tensor, Tensor]:
        """The variance of a mixture is the mean of its components' and that of their means."""
        mean = self.weights @ self.means
        square = self.weights @ (self.roots.square().sum(2) + (self.means - mean).square())
        return mean.view(self.latent_shape), square.sqrt().view(self.latent_shape)
