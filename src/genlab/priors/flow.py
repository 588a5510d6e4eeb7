"""A normalising flow."""

from importlib.util import find_spec

from torch import Tensor

from genlab.bounds import PositiveFloat, PositiveInt
from genlab.errors import UsageError
from genlab.priors.trained import Trained
from genlab.protocols import Samples


class Flow(Trained):
    """Neural spline flow (Durkan et al. 2019), autoregressive, by zuko: an invertible map between N(0, I) and codes.

    Args:
        model, epochs, batch_size, lr: see `Trained`.
        transforms: maps one after the other.
        width: units of the two hidden layers of each.
    """

    def __init__(
        self,
        model: Samples,
        epochs: PositiveInt = 100,
        batch_size: PositiveInt = 256,
        lr: PositiveFloat = 1e-3,
        transforms: PositiveInt = 3,
        width: PositiveInt = 64,
    ) -> None:
        super().__init__(model, epochs, batch_size, lr)
        if find_spec("zuko") is None:
            raise UsageError(
                'prior=flow needs the package zuko, which is not installed: type pip install -e ".[flow]".'
            )
        from zuko.flows import NSF

        self.network = NSF(self.latent_dim, transforms=transforms, hidden_features=(width, width))

    def nll(self, codes: Tensor) -> Tensor:
        """-log p of the standardised codes (B, *latent_shape): (B,) in nats."""
        return -self.network().log_prob(((codes - self.mean) / self.std).flatten(1))

    def from_noise(self, noise: Tensor) -> Tensor:
        """The inverse of what makes codes Gaussian."""
        z = self.network().transform.inv(noise.to(self.mean))
        return self.mean + self.std * z.unflatten(1, self.latent_shape)
