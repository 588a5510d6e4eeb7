"""The parts of R3GAN's networks (Huang et al. 2024, "The GAN is dead; long live the GAN!", section 4)."""

from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genlab.bounds import PositiveInt
from genlab.errors import UsageError


class BiasedLeakyReLU(nn.Module):
    """A learned bias for each channel, then a leaky ReLU: the convolutions have no bias of their own."""

    def __init__(self, channels: int, negative_slope: float) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same shape."""
        return F.leaky_relu(x + self.bias, self.negative_slope)


class R3Block(nn.Module):
    """x plus an inverted bottleneck without normalisation: 1x1 to more channels, grouped 3x3, 1x1 back.

    Initialised by fix-up (Zhang et al. 2019): the last convolution is zero, so that the block starts as the identity,
    and the others have the variance that preserves a signal's scale times n_blocks^(-1/4) each, with n_blocks the
    residual blocks of the whole network.

    Args:
        channels: of input and output.
        n_blocks: residual blocks of the whole network.
        group_size: channels in a group of the 3x3 convolution; the cardinality is their number.
        expansion: factor of channels within.
        negative_slope: of the leaky ReLUs.
        starts_as_identity: whether the last convolution is zero at first, and not drawn as the others.

    Raises:
        UsageError: if the channels within do not divide into groups.
    """

    def __init__(
        self,
        channels: int,
        *,
        n_blocks: int,
        group_size: PositiveInt,
        expansion: PositiveInt,
        negative_slope: float,
        starts_as_identity: bool = True,
    ) -> None:
        super().__init__()
        inner = channels * expansion
        if inner % group_size != 0:
            raise UsageError(
                f"A stage of {channels} channels, times expansion={expansion}, does not divide into groups of "
                f"group_size={group_size}: choose width and max_width so that all stages do."
            )
        gain = sqrt(2 / (1 + negative_slope**2)) * n_blocks ** (-1 / 4)
        self.branch = nn.Sequential(
            plain_conv(channels, inner, 1, gain),
            BiasedLeakyReLU(inner, negative_slope),
            plain_conv(inner, inner, 3, gain, groups=inner // group_size),
            BiasedLeakyReLU(inner, negative_slope),
            plain_conv(inner, channels, 1, 0.0 if starts_as_identity else gain),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, h, w) to the same shape."""
        return x + self.branch(x)


class GenerativeBasis(nn.Module):
    """The generator's first layer: a learned map for each channel, scaled by a linear function of the code."""

    def __init__(self, n_in: int, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.maps = nn.Parameter(torch.randn(channels, *size))
        self.scale = scaled_linear(n_in, channels)

    def forward(self, z: Tensor) -> Tensor:
        """Map codes (B, n_in) to (B, channels, *size)."""
        return self.scale(z)[:, :, None, None] * self.maps


class DiscriminativeBasis(nn.Sequential):
    """The discriminator's last layers: each channel's scalar product with a learned map, then a linear function."""

    def __init__(self, channels: int, size: tuple[int, int], n_out: int) -> None:
        products = nn.Conv2d(channels, channels, size, groups=channels, bias=False)
        nn.init.normal_(products.weight, std=(size[0] * size[1]) ** -0.5)
        super().__init__(products, nn.Flatten(), scaled_linear(channels, n_out))


def plain_conv(c_in: int, c_out: int, kernel: int, gain: float = 1.0, groups: int = 1) -> nn.Conv2d:
    """A convolution without bias that keeps the size, with weights from N(0, gain^2 / fan_in)."""
    layer = nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2, groups=groups, bias=False)
    nn.init.normal_(layer.weight, std=gain / sqrt(layer.weight[0].numel()))
    return layer


def scaled_linear(n_in: int, n_out: int) -> nn.Linear:
    """A linear layer without bias, with weights from N(0, 1 / n_in)."""
    layer = nn.Linear(n_in, n_out, bias=False)
    nn.init.normal_(layer.weight, std=n_in**-0.5)
    return layer
