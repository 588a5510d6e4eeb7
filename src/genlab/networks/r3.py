"""Residual networks of R3GAN (Huang et al. 2024, section 4), for images of any size."""

from functools import partial
from itertools import pairwise
from math import prod

from torch import Tensor, nn

from genlab.bounds import PositiveInt
from genlab.networks.layers import Activation, Depth, ImageShape, add_spectral_norm, stage_sizes, stage_widths
from genlab.networks.r3_blocks import DiscriminativeBasis, GenerativeBasis, R3Block, plain_conv
from genlab.networks.resampling import BilinearDown, BilinearUp


class R3Down(nn.Module):
    """Encoder or discriminator: a 1x1 convolution, residual stages with bilinear halving, and a basis layer.

    There is a stage at each size from the image's own to the coarsest that leaves at least 4 pixels a side.

    Args:
        in_shape: (C, H, W), sides from 8 to 256, odd ones too.
        out_shape: shape of one output, such as (2 * latent_dim,) or (1,).
        width: channels at the image's own size; they double at each halving.
        max_width: where doubling ends.
        depth: residual blocks at each size (the source: 2).
        group_size, expansion, negative_slope: as in `R3Block` (the source: 16, 2, 0.2).
        spectral_norm: whether every weight is divided by its largest singular value. Then no block starts as the
            identity, as a weight of zeros can't be normalised.

    Raises:
        UsageError: for a shape outside of this range, or a width that does not divide into groups.
    """

    def __init__(
        self,
        in_shape: ImageShape,
        out_shape: tuple[int, ...],
        *,
        width: PositiveInt = 16,
        max_width: PositiveInt = 512,
        depth: Depth = 1,
        group_size: PositiveInt = 16,
        expansion: PositiveInt = 2,
        negative_slope: float = 0.2,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        sizes = stage_sizes(in_shape)
        widths = stage_widths(len(sizes), width, max_width)
        block = partial(
            R3Block,
            n_blocks=len(sizes) * depth,
            group_size=group_size,
            expansion=expansion,
            negative_slope=negative_slope,
            starts_as_identity=not spectral_norm,
        )
        self.stages = nn.Sequential(plain_conv(in_shape[0], widths[0], 1), *(block(widths[0]) for _ in range(depth)))
        for c_in, c_out in pairwise(widths):
            self.stages.extend([BilinearDown(), *_projection(c_in, c_out), *(block(c_out) for _ in range(depth))])
        self.last = nn.Sequential(
            DiscriminativeBasis(widths[-1], sizes[-1], prod(out_shape)), nn.Unflatten(1, out_shape)
        )
        if spectral_norm:
            add_spectral_norm(self)

    def features(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to the last stage's result, (B, channels, h, w)."""
        return self.stages(x)

    def head(self, features: Tensor) -> Tensor:
        """Map the last stage's result to (B, *out_shape) by the basis layer."""
        return self.last(features)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to (B, *out_shape): `head(features(x))`."""
        return self.head(self.features(x))


class R3Up(nn.Module):
    """Decoder or generator, the mirror of `R3Down`: a basis layer, residual stages with bilinear doubling, a 1x1
    convolution.

    Args:
        in_shape: shape of one code, such as (latent_dim,).
        out_shape: (C, H, W), sides from 8 to 256, odd ones too.
        width, max_width, depth, group_size, expansion, negative_slope: as in `R3Down`.
        output: makes the last non-linearity; Tanh keeps images in [-1, 1], the source has none.

    Raises:
        UsageError: for a shape outside of this range, or a width that does not divide into groups.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        out_shape: ImageShape,
        *,
        width: PositiveInt = 16,
        max_width: PositiveInt = 512,
        depth: Depth = 1,
        group_size: PositiveInt = 16,
        expansion: PositiveInt = 2,
        negative_slope: float = 0.2,
        output: Activation = nn.Tanh,
    ) -> None:
        super().__init__()
        sizes = stage_sizes(out_shape)[::-1]
        widths = stage_widths(len(sizes), width, max_width)[::-1]
        block = partial(
            R3Block,
            n_blocks=len(sizes) * depth,
            group_size=group_size,
            expansion=expansion,
            negative_slope=negative_slope,
        )
        self.layers = nn.Sequential(nn.Flatten(), GenerativeBasis(prod(in_shape), widths[0], sizes[0]))
        self.layers.extend(block(widths[0]) for _ in range(depth))
        for (c_in, c_out), (coarse, fine) in zip(pairwise(widths), pairwise(sizes), strict=True):
            odd = (fine[0] - 2 * coarse[0], fine[1] - 2 * coarse[1])
            self.layers.extend([*_projection(c_in, c_out), BilinearUp(odd), *(block(c_out) for _ in range(depth))])
        self.layers.extend([plain_conv(widths[-1], out_shape[0], 1), output()])

    def forward(self, z: Tensor) -> Tensor:
        """Map codes (B, *in_shape) to images (B, C, H, W)."""
        return self.layers(z)


def _projection(c_in: int, c_out: int) -> list[nn.Module]:
    return [plain_conv(c_in, c_out, 1)] if c_in != c_out else []
