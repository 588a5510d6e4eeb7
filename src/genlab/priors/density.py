"""What a density of codes offers."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from genlab.errors import UsageError
from genlab.protocols import Samples

MOST_ENTRIES = 8192  # of a code whose covariance is kept: a quarter of a gigabyte


class Density(nn.Module, ABC):
    """A density of codes (B, *latent_shape) that is fitted to those of a model's training images.

    It takes the place of the prior of the model that it was fitted for (`ImageModel.draw_codes_from`): as there, a code
    is made of draws from N(0, I), so that a seed means the same codes on any device.

    Args:
        model: whose codes they are; only their shape, and what the model says of them, is kept.
    """

    protocol = ""  # what a score says of it: its name and its settings
    is_exported = True  # whether `from_noise` can be traced, and so leave with `export.py`

    def __init__(self, model: Samples) -> None:
        super().__init__()
        self.latent_shape, self.latent_dim = model.latent_shape, model.latent_dim

    @property
    def name(self) -> str:
        """As it is typed."""
        return type(self).__name__.lower()

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """Shape of the draws from N(0, I) of which one code is made."""
        return (self.latent_dim,)

    def check(self, n_codes: int) -> None:
        """Raise a UsageError if it can't be fitted to so many codes."""
        if n_codes < 2:
            raise UsageError(f"prior={self.name} needs two training images or more, and there are {n_codes}.")

    @abstractmethod
    def fit(self, codes: Tensor, seed: int) -> Iterator[float]:
        """Fit to codes (N, *latent_shape), in steps between which it can be stored; goes on with a fit that was.

        Args:
            codes: on the CPU; the density may be on another device.
            seed: of all randomness.

        Yields:
            The share of the fit that is done, 1 at the end.
        """

    @abstractmethod
    def from_noise(self, noise: Tensor) -> Tensor:
        """Map draws from N(0, I) (B, *noise_shape), on the CPU, to codes (B, *latent_shape)."""

    @abstractmethod
    def prior_moments(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each entry of a code, *latent_shape each."""

    def training_state(self) -> dict[str, Any]:
        """What a fit that is not at its end needs to go on, beside the weights: tensors and plain containers."""
        return {}

    def load_training_state(self, state: dict[str, Any]) -> None:
        """Take what `training_state` has returned."""


def check_covariance(density: Density) -> None:
    """Raise a UsageError if the covariance of codes would take too much memory."""
    if density.latent_dim > MOST_ENTRIES:
        raise UsageError(
            f"prior={density.name} keeps the covariance of a code, which has {density.latent_dim:,} entries here, and "
            f"{MOST_ENTRIES:,} at most are possible: type prior=flow."
        )
