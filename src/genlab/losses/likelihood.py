"""What a decoder's output says about an image: log densities in nats."""

from math import log, pi

import torch
from torch import Generator, Tensor, nn

from genlab.errors import positive


class Gaussian(nn.Module):
    """p(x | z) = N(x; Psi(z), sigma^2 I), with sigma a fixed hyper-parameter.

    sigma trades data fit against regularisation: up to a constant, -log p(x|z) is the squared distance divided by
    2 sigma^2, so a small sigma weighs the fit more (Kingma and Welling 2014, appendix C.2, with a fixed variance).

    Args:
        sigma: standard deviation in units of the image range [-1, 1], above 0.

    Raises:
        UsageError: if sigma is not above 0.
    """

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = positive("model.likelihood.sigma", sigma)

    def nll(self, x: Tensor, mean: Tensor) -> Tensor:
        """-log N(x; mean, sigma^2 I) with all constants: images (B, C, H, W), twice, to (B,) in nats."""
        squared_distance = (x - mean).square().flatten(1).sum(1)
        return squared_distance / (2 * self.sigma**2) + mean[0].numel() * (log(self.sigma) + 0.5 * log(2 * pi))

    def sample(self, mean: Tensor, generator: Generator | None = None) -> Tensor:
        """Draw x ~ N(mean, sigma^2 I), same shape as `mean`; values may leave [-1, 1]."""
        return mean + self.sigma * torch.randn(mean.shape, generator=generator).to(mean)
