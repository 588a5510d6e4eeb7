"""Networks whose stages change the size by pooling and unpooling, as in the lecture, and not by a stride."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod
from typing import Any

from torch import Tensor, nn

from genlab.bounds import PositiveInt
from genlab.networks.layers import (
    Activation,
    ImageShape,
    Norm,
    add_spectral_norm,
    init_normal,
    stage_sizes,
    stage_widths,
)
from genlab.networks.pools import MaxPooling, MaxUnpooling


class PoolingDown(nn.Module):
    """Encoder or discriminator: 3x3 convolutions, each followed by 2x2 pooling, then one fully connected layer.

    Every stage halves the image (rounding down); there are as many as leave at least 4 pixels a side. The first
    stage has no normalisation, as in `ConvDown`.

    Args:
        in_shape: (C, H, W), sides from 8 to 256, odd ones too.
        out_shape: shape of one output, such as (2 * latent_dim,) or (1,).
        width: channels of the first stage; they double at each further one.
        max_width: where doubling ends.
        pooling: makes the pooling, `MaxPooling` or `AveragePooling`.
        norm, activation, init_std, spectral_norm: as in `ConvDown`.

    Raises:
        UsageError: for a shape outside of this range.
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
            layers = [nn.Conv2d(c_in, c_out, 3, padding=1, bias=stage_norm is None)]
            self.stages.append(nn.Sequential(*layers, *([stage_norm(c_out)] if stage_norm else []), activation()))
        self.pooling = pooling()
        self.last = nn.Sequential(
            nn.Flatten(), nn.Linear(widths[-1] * prod(sizes[-1]), prod(out_shape)), nn.Unflatten(1, out_shape)
        )
        if init_std is not None:
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
        in_shape: shape of one code, such as (latent_dim,).
        out_shape: (C, H, W), sides from 8 to 256, odd ones too.
        width, max_width: as in `PoolingDown`, with `width` at the finest stage.
        unpooling: makes the unpooling, `MaxUnpooling` or `AverageUnpooling`.
        norm, activation, init_std: as in `PoolingDown`. Without a norm nearly nothing of the code reaches the image at
            first, as average unpooling divides by 4 at every stage.
        output: makes the last non-linearity; Tanh keeps images in [-1, 1].

    Raises:
        UsageError: for a shape outside of this range.
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
        coarsest = (widths[0], *self.sizes[0])
        self.first = nn.Sequential(nn.Flatten(), nn.Linear(prod(in_shape), prod(coarsest)), nn.Unflatten(1, coarsest))
        self.before, self.after = nn.ModuleList(), nn.ModuleList()
        for c_in, c_out in pairwise(widths):
            self.before.append(nn.Sequential(*([norm(c_in)] if norm else []), activation()))
            self.after.append(nn.Conv2d(c_in, c_out, 3, padding=1))
        self.unpooling: Any = unpooling()
        self.keeps_indices = self.unpooling.keeps_indices
        self.output = output()
        if init_std is not None:
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
