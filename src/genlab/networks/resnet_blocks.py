"""The parts of SNGAN's residual networks (Miyato et al. 2018, appendix B.4)."""

from math import sqrt

from torch import Tensor, nn

from genlab.networks.layers import Activation, Norm


class SumPool(nn.Module):
    """The sum over all places of a map."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C)."""
        return x.sum((2, 3))


class MeanPool(nn.Module):
    """The mean over all places of a map."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C)."""
        return x.mean((2, 3))


class ResidualBlock(nn.Module):
    """A shortcut with a 1x1 convolution, plus the branch norm, activation, 3x3, norm, activation, 3x3.

    Args:
        c_in, c_hidden, c_out: channels of the input, between the two 3x3 convolutions, and of the output.
        up: enlarges the map before the first 3x3 convolution, or None.
        down: shrinks it after the second one, or None.
        norm: makes a normalisation from a number of channels, or None.
        activation: makes the non-linearity.
        on_image: leaves out the first norm and activation, which would cut off half of an image's range.
    """

    def __init__(
        self,
        c_in: int,
        c_hidden: int,
        c_out: int,
        *,
        up: nn.Module | None = None,
        down: nn.Module | None = None,
        norm: Norm | None = None,
        activation: Activation = nn.ReLU,
        on_image: bool = False,
    ) -> None:
        super().__init__()
        ups, downs = [up] if up else [], [down] if down else []
        first, second = xavier_conv(c_in, c_hidden, 3, sqrt(2)), xavier_conv(c_hidden, c_out, 3, sqrt(2))
        before = [] if on_image else activated(c_in, norm, activation)
        self.branch = nn.Sequential(*before, *ups, first, *activated(c_hidden, norm, activation), second, *downs)
        # The source resizes before a 1x1 convolution or after it; they commute, and the smaller map is cheaper.
        projection = [xavier_conv(c_in, c_out, 1, 1.0)] if up or down or c_in != c_out else []
        self.shortcut = nn.Sequential(*downs, *projection, *ups)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, c_in, h, w) to (B, c_out, new h, new w)."""
        return self.shortcut(x) + self.branch(x)


def xavier_conv(c_in: int, c_out: int, kernel: int, gain: float) -> nn.Conv2d:
    """A convolution that keeps the size, with Xavier uniform weights times `gain` and biases of 0."""
    layer = nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2)
    nn.init.xavier_uniform_(layer.weight, gain)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def xavier_linear(n_in: int, n_out: int) -> nn.Linear:
    """A linear layer with Xavier uniform weights and biases of 0."""
    layer = nn.Linear(n_in, n_out)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def activated(channels: int, norm: Norm | None, activation: Activation) -> list[nn.Module]:
    """The normalisation, if there is one, and the non-linearity."""
    return [*([norm(channels)] if norm is not None else []), activation()]
