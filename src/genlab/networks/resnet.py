"""Residual networks of SNGAN (Miyato et al. 2018, appendix B.4), for images of any size."""

from collections.abc import Callable
from functools import partial
from math import sqrt
from typing import Literal

from torch import Tensor, nn

from genlab.bounds import PositiveInt
from genlab.networks.layers import (
    Activation,
    Depth,
    ImageShape,
    Norm,
    activated,
    add_spectral_norm,
    connected,
    fully_connected,
    stage_sizes,
    stage_widths,
    stages_between,
)


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


class ResNetDown(nn.Module):
    """Encoder or discriminator: residual blocks with average pooling, global pooling, one fully connected layer.

    Stages that halve the map (rounding down) are followed by stages that keep it: see `source_stages`. With a depth of
    1 that is the source's discriminator. Maps (C, h, w) are reached by as many halvings as give their size, one stage
    more, and a 3x3 convolution.

    Args:
        in_shape, out_shape, width, max_width, spectral_norm: as in `ConvDown`.
        depth: residual blocks in each stage, the last of which halves the map, if any does.
        coarsest: None for the source's stages; n for as many halvings as leave n pixels a side, and one more stage,
            which keeps map and width.
        pool: makes the global pooling (B, C, h, w) -> (B, C), `SumPool` as in the source or `MeanPool`.
        norm: makes the normalisation of a stage from its number of channels, or None as in the source.
        activation: makes the non-linearity.
    """

    def __init__(
        self,
        in_shape: ImageShape,
        out_shape: tuple[int, ...],
        *,
        width: PositiveInt = 32,
        max_width: PositiveInt = 512,
        depth: Depth = 1,
        coarsest: PositiveInt | None = None,
        pool: Callable[[], nn.Module] = SumPool,
        norm: Norm | None = None,
        activation: Activation = nn.ReLU,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        makes_maps = len(out_shape) == 3
        if coarsest is None and not makes_maps:
            n_halving, n_keeping = source_stages(in_shape)
            widths = stage_widths(n_halving + n_keeping, width, max_width)
        else:
            n_halving = len(stages_between(in_shape, out_shape, coarsest or 4)) - 1
            widths = stage_widths(n_halving + 1, width, max_width)
            widths[-1] = widths[max(0, n_halving - 1)]
        plan = [(c, stage < n_halving and i == depth - 1) for stage, c in enumerate(widths) for i in range(depth)]
        self.blocks = nn.Sequential()
        c_in = in_shape[0]
        for i, (c_out, halves) in enumerate(plan):
            c_hidden = c_in if i > 0 else c_out
            down = nn.AvgPool2d(2) if halves else None
            block = ResidualBlock(c_in, c_hidden, c_out, down=down, norm=norm, activation=activation, on_image=i == 0)
            self.blocks.append(block)
            c_in = c_out
        self.blocks.extend(activated(c_in, norm, activation))
        if makes_maps:
            self.last = nn.Sequential(xavier_conv(c_in, out_shape[0], 3, 1.0))
        else:
            self.last = nn.Sequential(pool(), *fully_connected((c_in,), out_shape, xavier_linear)[1:])
        if spectral_norm:
            add_spectral_norm(self)

    def features(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to the activations after the last block, (B, channels, h, w)."""
        return self.blocks(x)

    def head(self, features: Tensor) -> Tensor:
        """Map the last block's activations to (B, *out_shape): pool globally, unless to maps, and the last layer."""
        return self.last(features)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to (B, *out_shape): `head(features(x))`."""
        return self.head(self.features(x))


def source_stages(image_shape: ImageShape) -> tuple[int, int]:
    """Return how many stages halve the map, and how many after them keep it, for images (C, H, W).

    What the source has for 32, 48 and 128 pixels (appendix B.4, tables 4 to 6) and its code for 64 and 256, and alike
    for all others: one stage less than the halvings to one pixel (rounded up). Up to 32 pixels two of them halve,
    above all but the last, five at least; but none does where it would leave less than two pixels. The sides are

         32: 16, 8, 8, 8            48: 24, 12, 6, 3, 3              64: 32, 16, 8, 4, 2
        128: 64, 32, 16, 8, 4, 4   256: 128, 64, 32, 16, 8, 4, 4     28: 14, 7, 7, 7
    """
    n_stages = (min(image_shape[1:]) - 1).bit_length() - 1
    n_halving = min(2 if n_stages < 5 else max(5, n_stages - 1), len(stage_sizes(image_shape, coarsest=2)) - 1)
    return n_halving, n_stages - n_halving


class ResNetUp(nn.Module):
    """Decoder or generator: one fully connected layer, then residual blocks with upsampling.

    At each size but the coarsest stand `depth` blocks, the first of which enlarges the map, to an odd size where the
    halvings of the image had rounded down: 4, 8, 16, 32 or 6, 12, 24, 48 or 7, 14, 28. With a depth of 1 and batch
    normalisation it is the source's generator.

    Args:
        in_shape, out_shape, max_width, output: as in `ConvUp`.
        width: channels at the finest size, doubled at each coarser one.
        norm, activation: as in `ResNetDown`.
        depth: residual blocks at each size but the coarsest.
        upsampling: how maps are enlarged: `nearest` as in the source, or `bilinear`.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        out_shape: ImageShape,
        *,
        width: PositiveInt = 16,
        max_width: PositiveInt = 512,
        depth: Depth = 1,
        norm: Norm | None = None,
        activation: Activation = nn.ReLU,
        output: Activation = nn.Tanh,
        upsampling: Literal["nearest", "bilinear"] = "nearest",
    ) -> None:
        super().__init__()
        sizes = stages_between(out_shape, in_shape)[::-1]
        c_in, *widths = stage_widths(len(sizes), width, max_width)[::-1]
        self.layers = nn.Sequential(
            *connected(in_shape, (c_in, *sizes[0]), xavier_linear, partial(xavier_conv, kernel=3, gain=1.0))
        )
        for c_out, size in zip(widths, sizes[1:], strict=True):
            for block in range(depth):
                up = nn.Upsample(size=size, mode=upsampling) if block == 0 else None
                self.layers.append(ResidualBlock(c_in, c_out, c_out, up=up, norm=norm, activation=activation))
                c_in = c_out
        self.layers.extend([*activated(c_in, norm, activation), xavier_conv(c_in, out_shape[0], 3, 1.0), output()])

    def forward(self, z: Tensor) -> Tensor:
        """Map codes (B, *in_shape) to images (B, C, H, W)."""
        return self.layers(z)


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
