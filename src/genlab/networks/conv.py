"""Convolutional networks as in the lecture: strided convolutions down, a fully connected layer, and the way back."""

from itertools import pairwise
from math import prod

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


class ConvDown(nn.Module):
    """Encoder or discriminator: convolutions of stride 2, then one fully connected layer to `out_shape`.

    Every stage halves the image (rounding down) by a 4x4 convolution of stride 2 and padding 1; there are as many as
    leave at least 4 pixels a side. The first stage has no normalisation (DCGAN, Radford et al. 2015, section 3).

    Args:
        in_shape: (C, H, W), sides from 8 to 256, odd ones too.
        out_shape: shape of one output, such as (2 * latent_dim,) or (1,).
        width: channels of the first stage; they double at each further one.
        max_width: where doubling ends.
        norm: makes the normalisation of a stage from its number of channels, or None.
        activation: makes the non-linearity of a stage.
        init_std: if given, weights are drawn from N(0, init_std^2); else PyTorch's default.
        spectral_norm: whether every weight is divided by its largest singular value.

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
        norm: Norm | None = None,
        activation: Activation = nn.ReLU,
        init_std: float | None = None,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        sizes = stage_sizes(in_shape)
        widths = [in_shape[0], *stage_widths(len(sizes) - 1, width, max_width)]
        self.layers = nn.Sequential()
        for stage, (c_in, c_out) in enumerate(pairwise(widths)):
            stage_norm = norm if stage > 0 else None
            self.layers.append(nn.Conv2d(c_in, c_out, 4, stride=2, padding=1, bias=stage_norm is None))
            if stage_norm is not None:
                self.layers.append(stage_norm(c_out))
            self.layers.append(activation())
        self.layers.append(nn.Flatten())
        self.layers.append(nn.Linear(widths[-1] * prod(sizes[-1]), prod(out_shape)))
        self.layers.append(nn.Unflatten(1, out_shape))
        if init_std is not None:
            init_normal(self, init_std)
        if spectral_norm:
            add_spectral_norm(self)

    def features(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to the activations of the last stage, (B, channels, h, w)."""
        return self.layers[:-3](x)

    def head(self, features: Tensor) -> Tensor:
        """Map the last stage's activations to (B, *out_shape): flatten, then the fully connected layer."""
        return self.layers[-3:](features)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to (B, *out_shape): `head(features(x))`."""
        return self.layers(x)


class ConvUp(nn.Module):
    """Decoder or generator, the mirror of `ConvDown`: one fully connected layer, then transposed convolutions.

    Every stage doubles the image by a 4x4 transposed convolution of stride 2 and padding 1, plus one row or column
    of output padding where the mirrored halving had rounded down, so that odd sizes come back exactly.

    Args:
        in_shape: shape of one code, such as (latent_dim,).
        out_shape: (C, H, W), sides from 8 to 256, odd ones too.
        output: makes the last non-linearity; Tanh keeps images in [-1, 1].
        width, max_width, norm, activation, init_std: as in `ConvDown`, with `width` at the finest stage.

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
        norm: Norm | None = None,
        activation: Activation = nn.ReLU,
        output: Activation = nn.Tanh,
        init_std: float | None = None,
    ) -> None:
        super().__init__()
        sizes = stage_sizes(out_shape)[::-1]
        widths = [*stage_widths(len(sizes) - 1, width, max_width)[::-1], out_shape[0]]
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(prod(in_shape), widths[0] * prod(sizes[0])),
            nn.Unflatten(1, (widths[0], *sizes[0])),
        )
        for stage, (c_in, c_out) in enumerate(pairwise(widths)):
            (h, w), (fine_h, fine_w) = sizes[stage], sizes[stage + 1]
            odd = (fine_h - 2 * h, fine_w - 2 * w)
            if norm is not None:
                self.layers.append(norm(c_in))
            self.layers.append(activation())
            self.layers.append(nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1, output_padding=odd))
        self.layers.append(output())
        if init_std is not None:
            init_normal(self, init_std)

    def forward(self, z: Tensor) -> Tensor:
        """Map codes (B, *in_shape) to images (B, C, H, W)."""
        return self.layers(z)
