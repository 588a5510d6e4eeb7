"""Networks whose stages change the size by pooling and unpooling, as in the lecture, and not by a stride.

Each unpooling is the adjoint of its pooling.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from genlab.bounds import PositiveInt
from genlab.errors import UsageError
from genlab.networks.layers import (
    Activation,
    ImageShape,
    Norm,
    activated,
    add_spectral_norm,
    fully_connected,
    init_normal,
    stage_sizes,
    stage_widths,
)


class MaxPooling(nn.Module):
    """The largest value of each 2x2 cell and where it stood; an odd last row or column is left out."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Map (B, C, H, W) to its maxima (B, C, H // 2, W // 2) and their indices in the flattened (H, W) plane."""
        return F.max_pool2d(x, 2, return_indices=True)


class AveragePooling(nn.Module):
    """The mean of each 2x2 cell; an odd last row or column is left out."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Map (B, C, H, W) to its means (B, C, H // 2, W // 2); there are no indices."""
        return F.avg_pool2d(x, 2), None


class AverageUnpooling(nn.Module):
    """The adjoint of `AveragePooling`: a quarter of each value on each of the four cells it came from."""

    keeps_indices = False

    def forward(self, x: Tensor, size: tuple[int, int], indices: Tensor | None = None) -> Tensor:
        """Map (B, C, h, w) to (B, C, *size), of 2h or 2h + 1 rows and 2w or 2w + 1 columns, zero in an odd last one."""
        height, width = size
        spread = F.interpolate(x / 4, scale_factor=2.0, mode="nearest")
        return F.pad(spread, (0, width - spread.shape[3], 0, height - spread.shape[2]))


class MaxUnpooling(AverageUnpooling):
    """The adjoint of `MaxPooling` at kept indices (Zeiler and Fergus 2014, section 2.1).

    Each value returns to the index that its counterpart was taken from, and all else is zero. Where there are no
    indices, as for a code that was drawn from a prior, it is average unpooling.
    """

    keeps_indices = True

    def forward(self, x: Tensor, size: tuple[int, int], indices: Tensor | None = None) -> Tensor:
        """Map (B, C, h, w) and the indices (B, C, h, w) of a `MaxPooling`, or None, to (B, C, *size).

        Raises:
            UsageError: if values and indices differ in shape, so that they have no counterparts.
        """
        if indices is None:
            return super().forward(x, size)
        if indices.shape != x.shape:
            raise UsageError(
                f"Max unpooling has indices of shape {tuple(indices.shape)} for values of shape {tuple(x.shape)}: "
                "model.encoder.width must equal model.decoder.width, and max_width likewise, or take a decoder with "
                "genlab.networks.AverageUnpooling."
            )
        plane = x.new_zeros(*x.shape[:2], prod(size))
        return plane.scatter(2, indices.flatten(2), x.flatten(2)).unflatten(2, size)


class PoolingDown(nn.Module):
    """Encoder or discriminator: 3x3 convolutions, each followed by 2x2 pooling, then one fully connected layer.

    Every stage halves the image (rounding down); there are as many as leave at least 4 pixels a side. The first
    stage has no normalisation, as in `ConvDown`.

    Args:
        in_shape, out_shape, width, max_width, norm, activation, init_std, spectral_norm: as in `ConvDown`.
        pooling: makes the pooling, `MaxPooling` or `AveragePooling`.
    """

    def __init__(
        self,
        in_shape: ImageShape,
        out_shape: tuple[int, ...],
        *,
        width: PositiveInt = 32,
        max_width: PositiveInt = 512,
        pooling: Callable[[], nn.Module] = MaxPooling,
        norm: Norm | None = None,
        activation: Activation = nn.ReLU,
        init_std: float | None = None,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        sizes = stage_sizes(in_shape)
        widths = [in_shape[0], *stage_widths(len(sizes) - 1, width, max_width)]
        self.stages = nn.ModuleList()
        for stage, (c_in, c_out) in enumerate(pairwise(widths)):
            stage_norm = norm if stage > 0 else None
            conv = nn.Conv2d(c_in, c_out, 3, padding=1, bias=stage_norm is None)
            self.stages.append(nn.Sequential(conv, *activated(c_out, stage_norm, activation)))
        self.pooling = pooling()
        self.last = nn.Sequential(*fully_connected((widths[-1], *sizes[-1]), out_shape))
        init_normal(self, init_std)
        if spectral_norm:
            add_spectral_norm(self)

    def _pooled(self, x: Tensor) -> tuple[Tensor, list[Tensor | None]]:
        kept = []
        for stage in self.stages:
            x, indices = self.pooling(stage(x))
            kept.append(indices)
        return x, kept

    def features(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to the pooled activations of the last stage, (B, channels, h, w)."""
        return self._pooled(x)[0]

    def head(self, features: Tensor) -> Tensor:
        """Map the last stage's activations to (B, *out_shape): flatten, then the fully connected layer."""
        return self.last(features)

    def with_indices(self, x: Tensor) -> tuple[Tensor, list[Tensor | None]]:
        """Map images (B, C, H, W) to (B, *out_shape) and what each stage's pooling kept, the finest first.

        Indices have the shape (B, channels, h, w) of the stage's result and point into its flattened plane of twice
        that size; average pooling keeps none and gives None.
        """
        features, indices = self._pooled(x)
        return self.head(features), indices

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to (B, *out_shape): `head(features(x))`."""
        return self.head(self.features(x))


class PoolingUp(nn.Module):
    """Decoder or generator, the mirror of `PoolingDown`: one fully connected layer, then unpooling and convolutions.

    Every stage doubles the image by unpooling, with an odd last row or column of zeros where the mirrored halving had
    rounded down, followed by a 3x3 convolution. Max unpooling needs the indices of the mirrored `PoolingDown`; without
    them it falls back to average unpooling. The attribute `keeps_indices` says whether the unpooling can use indices.

    Args:
        in_shape, out_shape, width, max_width, activation, output, init_std: as in `ConvUp`.
        unpooling: makes the unpooling, `MaxUnpooling` or `AverageUnpooling`.
        norm: as in `ConvUp`. Without one nearly nothing of the code reaches the image at first, as average unpooling
            divides by 4 at every stage.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        out_shape: ImageShape,
        *,
        width: PositiveInt = 32,
        max_width: PositiveInt = 512,
        unpooling: Callable[[], nn.Module] = MaxUnpooling,
        norm: Norm | None = None,
        activation: Activation = nn.ReLU,
        output: Activation = nn.Tanh,
        init_std: float | None = None,
    ) -> None:
        super().__init__()
        self.sizes = stage_sizes(out_shape)[::-1]
        widths = [*stage_widths(len(self.sizes) - 1, width, max_width)[::-1], out_shape[0]]
        self.first = nn.Sequential(*fully_connected(in_shape, (widths[0], *self.sizes[0])))
        self.before, self.after = nn.ModuleList(), nn.ModuleList()
        for c_in, c_out in pairwise(widths):
            self.before.append(nn.Sequential(*activated(c_in, norm, activation)))
            self.after.append(nn.Conv2d(c_in, c_out, 3, padding=1))
        self.unpooling: Any = unpooling()
        self.keeps_indices = self.unpooling.keeps_indices
        self.output = output()
        init_normal(self, init_std)

    def forward(self, z: Tensor, indices: Sequence[Tensor | None] | None = None) -> Tensor:
        """Map codes (B, *in_shape), and the indices of `PoolingDown.with_indices` if there are any, to (B, C, H, W).

        Raises:
            UsageError: if the indices come from stages of another shape.
        """
        x = self.first(z)
        kept = [None] * len(self.after) if indices is None else list(indices)[::-1]
        for before, after, size, found in zip(self.before, self.after, self.sizes[1:], kept, strict=True):
            x = after(self.unpooling(before(x), size, found))
        return self.output(x)
