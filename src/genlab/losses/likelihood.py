"""What a decoder's output says about an image: log densities in nats per image, with all constants.

Every likelihood has `nll(x, out)`, `mean(out)`, `sample(out, generator)`, `check(x)`, and what `protocols.Likelihood`
says of it. `out` is what the decoder returns, images or logits, (B, C, H, W); images lie in [-1, 1].
"""

import logging
from math import e, log, pi
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import softplus

from genlab.bounds import PositiveFloat
from genlab.errors import UsageError
from genlab.protocols import Likelihood

GREY_LEVEL = 2 / 255  # width of one of the 256 levels of images in [-1, 1]
SMALLEST_SIGMA = GREY_LEVEL / 2  # half a grey level: images of 256 levels can't tell finer densities apart


logger = logging.getLogger(__name__)


def gaussian_nll(x: Tensor, mean: Tensor, log_sigma: float | Tensor) -> Tensor:
    """-log N(x; mean, exp(log_sigma)^2 I): images (B, C, H, W), twice, and one number to (B,) in nats."""
    squared_distance = (x - mean).square().flatten(1).sum(1)
    return 0.5 * squared_distance * e ** (-2 * log_sigma) + mean[0].numel() * (log_sigma + 0.5 * log(2 * pi))


def gaussian_noise(like: Tensor, generator: Generator | None) -> Tensor:
    """Draw N(0, I) on the CPU, for the same values on any device, in the shape, type and place of `like`."""
    return torch.randn(like.shape, generator=generator).to(like)


class Location(nn.Module, Likelihood):
    """What likelihoods share whose decoder returns the mean image itself."""

    decoder_options: ClassVar[dict[str, Any]] = {}
    is_binary: ClassVar[bool] = False
    cell: ClassVar[float] = GREY_LEVEL

    def mean(self, out: Tensor) -> Tensor:
        """The mean image of p(x | z), (B, C, H, W): the decoder's output as it is."""
        return out

    def check(self, x: Tensor) -> None:
        """Take images (B, C, H, W) of any values."""


class Gaussian(Location):
    """p(x | z) = N(x; Psi(z), sigma^2 I), with sigma a fixed hyper-parameter.

    sigma trades data fit against regularisation: up to a constant, -log p(x|z) is the squared distance divided by
    2 sigma^2, so a small sigma weighs the fit more (Kingma and Welling 2014, appendix C.2, with a fixed variance).

    Args:
        sigma: standard deviation in units of the image range [-1, 1], above 0.
    """

    def __init__(self, sigma: PositiveFloat) -> None:
        super().__init__()
        self.sigma = sigma

    def nll(self, x: Tensor, out: Tensor) -> Tensor:
        """-log N(x; out, sigma^2 I) with all constants: images (B, C, H, W), twice, to (B,) in nats."""
        return gaussian_nll(x, out, log(self.sigma))

    def sample(self, out: Tensor, generator: Generator | None = None) -> Tensor:
        """Draw x ~ N(out, sigma^2 I), same shape as `out`; values may leave [-1, 1]."""
        return out + self.sigma * gaussian_noise(out, generator)


class LearnedGaussian(Location):
    """N(x; Psi(z), sigma^2 I), with one sigma for all pixels that is learned with the networks.

    Such a decoder is calibrated: it finds the weight of the data fit, which a fixed sigma leaves to the user (Rybkin et
    al. 2021). It needs the optimiser to hold the parameters of the likelihood too.

    Args:
        sigma: where the standard deviation starts, in units of the image range [-1, 1], above 0.
    """

    def __init__(self, sigma: PositiveFloat) -> None:
        super().__init__()
        self.log_sigma = nn.Parameter(torch.tensor(log(sigma)))

    def nll(self, x: Tensor, out: Tensor) -> Tensor:
        """-log N(x; out, sigma^2 I) with all constants: images (B, C, H, W), twice, to (B,) in nats."""
        return gaussian_nll(x, out, self.log_sigma)

    def sample(self, out: Tensor, generator: Generator | None = None) -> Tensor:
        """Draw x ~ N(out, sigma^2 I), same shape as `out`; values may leave [-1, 1]."""
        return out + self.log_sigma.exp() * gaussian_noise(out, generator)


class OptimalGaussian(Location):
    """N(x; Psi(z), sigma^2 I), with sigma^2 the mean squared error of each training batch (Rybkin et al. 2021).

    That is the maximum-likelihood variance in closed form, so the mean loss is D/2 log(MSE) up to constants. The
    gradient flows through it, which changes nothing in the mean over the batch, as sigma is optimal there. In
    evaluation sigma^2 is the running mean over training batches: a sigma fitted to the very images that it scores would
    be no density. It is kept at half a grey level or more in training, as the loss is unbounded below.
    """

    variance: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("variance", torch.ones(()))  # a guess, until training starts

    def nll(self, x: Tensor, out: Tensor) -> Tensor:
        """-log N(x; out, sigma^2 I) with all constants: images (B, C, H, W), twice, to (B,) in nats."""
        if not self.training:
            return gaussian_nll(x, out, 0.5 * self.variance.log())
        variance = (x - out).square().mean().clamp_min(SMALLEST_SIGMA**2)
        self.variance.lerp_(variance.detach().to(self.variance), 0.1)  # the share that BatchNorm gives to a batch
        return gaussian_nll(x, out, 0.5 * variance.log())

    def sample(self, out: Tensor, generator: Generator | None = None) -> Tensor:
        """Draw x ~ N(out, sigma^2 I) with the running sigma, same shape as `out`; values may leave [-1, 1]."""
        return out + self.variance.sqrt() * gaussian_noise(out, generator)


class Laplace(Location):
    """p(x | z) = prod exp(-|x - Psi(z)| / scale) / (2 scale): the absolute distance, less moved by outliers.

    Args:
        scale: mean absolute deviation in units of the image range [-1, 1], above 0.
    """

    def __init__(self, scale: PositiveFloat) -> None:
        super().__init__()
        self.scale = scale

    def nll(self, x: Tensor, out: Tensor) -> Tensor:
        """-log p(x | z) with all constants: images (B, C, H, W), twice, to (B,) in nats."""
        return (x - out).abs().flatten(1).sum(1) / self.scale + out[0].numel() * log(2 * self.scale)

    def sample(self, out: Tensor, generator: Generator | None = None) -> Tensor:
        """Draw from p(x | z), same shape as `out`; values may leave [-1, 1]."""
        up, down = (torch.empty(out.shape).exponential_(generator=generator) for _ in range(2))
        return out + self.scale * (up - down).to(out)  # the difference of two exponentials is Laplacian


class Bernoulli(nn.Module, Likelihood):
    """Black and white pixels, each white with probability sigmoid(logit) (Kingma and Welling 2014, appendix C.1).

    Images in [-1, 1] are read as probabilities (x + 1) / 2. Grey values give the cross-entropy, which one can train
    with, but which is no log density (Loaiza-Ganem and Cunningham 2019).
    """

    decoder_options: ClassVar[dict[str, Any]] = {"output": nn.Identity}  # logits, so no tanh
    is_binary: ClassVar[bool] = True
    cell: ClassVar[float] = 1.0  # these are probabilities already

    def __init__(self) -> None:
        super().__init__()
        self.has_warned = False

    def nll(self, x: Tensor, out: Tensor) -> Tensor:
        """-log p(x | z): images in [-1, 1] and logits, each (B, C, H, W), to (B,) in nats."""
        return (softplus(out) - 0.5 * (x + 1) * out).flatten(1).sum(1)

    def mean(self, out: Tensor) -> Tensor:
        """2 sigmoid(out) - 1: logits to the mean image in [-1, 1], (B, C, H, W)."""
        return 2 * out.sigmoid() - 1

    def sample(self, out: Tensor, generator: Generator | None = None) -> Tensor:
        """Draw black and white images, values -1 and 1, from logits of the same shape."""
        white = torch.rand(out.shape, generator=generator).to(out) < out.sigmoid()
        return 2 * white.to(out) - 1

    def check(self, x: Tensor) -> None:
        """Warn once, in the log, of images (B, C, H, W) that are not black and white.

        Raises:
            UsageError: if values lie outside of [-1, 1], or are not numbers.
        """
        size = x.abs()
        if not size.amax() <= 1:
            raise UsageError(
                "A Bernoulli likelihood reads images in [-1, 1] as probabilities, and these reach from "
                f"{x.amin():.3g} to {x.amax():.3g}: change the data, or choose model/likelihood=gaussian."
            )
        if not self.has_warned and size.amin() < 1:
            self.has_warned = True
            logger.warning(
                "These images have grey levels, and a Bernoulli likelihood is one of black and white pixels: its nats "
                "are not a log likelihood of them. data.binarize=dynamic draws each pixel as black or white."
            )
