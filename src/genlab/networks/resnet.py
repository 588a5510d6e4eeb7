"""Residual networks of SNGAN (Miyato et al. 2018, appendix B.4), for images of any size."""

from collections.abc import Callable
from math import prod, sqrt

from torch import Tensor, nn

from genlab.errors import whole_number
from genlab.networks.layers import Activation, ImageShape, Norm, add_spectral_norm, stage_sizes, stage_widths


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
        first, second = _conv(c_in, c_hidden, 3, sqrt(2)), _conv(c_hidden, c_out, 3, sqrt(2))
        before = [] if on_image else _activated(c_in, norm, activation)
        self.branch = nn.Sequential(*before, *ups, first, *_activated(c_hidden, norm, activation), second, *downs)
        # The source resizes before a 1x1 convolution or after it; they commute, and the smaller map is cheaper.
        projection = [_conv(c_in, c_out, 1, 1.0)] if up or down or c_in != c_out else []
        self.shortcut = nn.Sequential(*downs, *projection, *ups)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, c_in, h, w) to (B, c_out, new h, new w)."""
        return self.shortcut(x) + self.branch(x)


class ResNetDown(nn.Module):
    """Encoder or discriminator: residual blocks with average pooling, global pooling, one fully connected layer.

    At each size stand `depth` blocks, the last of which halves it (rounding down), but for the coarsest size of at
    least 4 pixels a side. With a depth of 1 that is the source's discriminator.

    Args:
        in_shape: (C, H, W), sides from 8 to 256, odd ones too.
        out_shape: shape of one output, such as (2 * latent_dim,) or (1,).
        width: channels before and after the first halving; they double at each further one.
        max_width: where doubling ends.
        depth: residual blocks at each size.
        pool: makes the global pooling (B, C, h, w) -> (B, C), `SumPool` as in the source or `MeanPool`.
        norm: makes the normalisation of a stage from its number of channels, or None as in the source.
        activation: makes the non-linearity.
        spectral_norm: whether every weight is divided by its largest singular value.

    Raises:
        UsageError: for a shape outside of this range.
    """

    def __init__(
        self,
        in_shape: ImageShape,
        out_shape: tuple[int, ...],
        *,
        width: int = 32,
        max_width: int = 512,
        depth: int = 1,
        pool: Callable[[], nn.Module] = SumPool,
        norm: Norm | None = None,
        activation: Activation = nn.ReLU,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        whole_number("depth", depth)
        widths = stage_widths(len(stage_sizes(in_shape)) - 1, width, max_width)
        plan = [(c, block == depth - 1) for c in widths for block in range(depth)] + [(widths[-1], False)] * depth
        self.blocks = nn.Sequential()
        c_in = in_shape[0]
        for i, (c_out, halves) in enumerate(plan):
            c_hidden = c_in if i > 0 else c_out
            down = nn.AvgPool2d(2) if halves else None
            block = ResidualBlock(c_in, c_hidden, c_out, down=down, norm=norm, activation=activation, on_image=i == 0)
            self.blocks.append(block)
            c_in = c_out
        self.blocks.extend(_activated(c_in, norm, activation))
        self.last = nn.Sequential(pool(), _linear(c_in, prod(out_shape)), nn.Unflatten(1, out_shape))
        if spectral_norm:
            add_spectral_norm(self)

    def features(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to the activations after the last block, (B, channels, h, w)."""
        return self.blocks(x)

    def head(self, features: Tensor) -> Tensor:
        """Map the last block's activations to (B, *out_shape): pool globally, then the fully connected layer."""
        return self.last(features)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to (B, *out_shape): `head(features(x))`."""
        return self.head(self.features(x))


class ResNetUp(nn.Module):
    """Decoder or generator: one fully connected layer, then residual blocks with nearest-neighbour upsampling.

    At each size but the coarsest stand `depth` blocks, the first of which enlarges the map, to an odd size where the
    halvings of `ResNetDown` had rounded down. With a depth of 1 and batch normalisation it is the source's generator.

    Args:
        in_shape: shape of one code, such as (latent_dim,).
        out_shape: (C, H, W), sides from 8 to 256, odd ones too.
        width: channels at the finest size, doubled at each coarser one.
        max_width, norm, activation: as in `ResNetDown`.
        depth: residual blocks at each size but the coarsest.
        output: makes the last non-linearity; Tanh keeps images in [-1, 1].

    Raises:
        UsageError: for a shape outside of this range.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        out_shape: ImageShape,
        *,
        width: int = 16,
        max_width: int = 512,
        depth: int = 1,
        norm: Norm | None = None,
        activation: Activation = nn.ReLU,
        output: Activation = nn.Tanh,
    ) -> None:
        super().__init__()
        whole_number("depth", depth)
        sizes = stage_sizes(out_shape)[::-1]
        c_in, *widths = stage_widths(len(sizes), width, max_width)[::-1]
        coarsest = (c_in, *sizes[0])
        self.layers = nn.Sequential(nn.Flatten(), _linear(prod(in_shape), prod(coarsest)), nn.Unflatten(1, coarsest))
        for c_out, size in zip(widths, sizes[1:], strict=True):
            for block in range(depth):
                up = nn.Upsample(size=size) if block == 0 else None
                self.layers.append(ResidualBlock(c_in, c_out, c_out, up=up, norm=norm, activation=activation))
                c_in = c_out
        self.layers.extend([*_activated(c_in, norm, activation), _conv(c_in, out_shape[0], 3, 1.0), output()])

    def forward(self, z: Tensor) -> Tensor:
        """Map codes (B, *in_shape) to images (B, C, H, W)."""
        return self.layers(z)


def _conv(c_in: int, c_out: int, kernel: int, gain: float) -> nn.Conv2d:
    layer = nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2)
    nn.init.xavier_uniform_(layer.weight, gain)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def _linear(n_in: int, n_out: int) -> nn.Linear:
    layer = nn.Linear(n_in, n_out)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _activated(channels: int, norm: Norm | None, activation: Activation) -> list[nn.Module]:
    return [*([norm(channels)] if norm is not None else []), activation()]
