"""Convolutional networks as in the lecture: strided convolutions down, a fully connected layer, and the way back."""

from itertools import pairwise

from torch import Tensor, nn

from genlab.bounds import PositiveInt
from genlab.networks.layers import (
    Activation,
    ImageShape,
    Norm,
    activated,
    add_spectral_norm,
    are_maps,
    connected,
    init_normal,
    stage_widths,
    stages_between,
)


class ConvDown(nn.Module):
    """Encoder or discriminator: convolutions of stride 2, then one fully connected layer to `out_shape`.

    Every stage halves the image (rounding down) by a 4x4 convolution of stride 2 and padding 1; there are as many as
    leave at least 4 pixels a side. Maps (C, h, w) are reached by as many as give their size, and a 3x3 convolution. The
    first stage has no normalisation (DCGAN, Radford et al. 2015, section 3).

    Args:
        in_shape: (C, H, W), sides from 8 to 512, odd ones too.
        out_shape: shape of one output, such as (2 * latent_dim,) or (1,), or of maps (C, h, w).
        width: channels of the first stage; they double at each further one.
        max_width: where doubling ends.
        hidden: units of one more fully connected layer, between the maps and a vector; None for none.
        norm: makes the normalisation of a stage from its number of channels, or None.
        activation: makes the non-linearity of a stage.
        init_std: if given, weights are drawn from N(0, init_std^2); else PyTorch's default.
        spectral_norm: whether every weight is divided by its largest singular value.
    """

    def __init__(
        self,
        in_shape: ImageShape,
        out_shape: tuple[int, ...],
        *,
        width: PositiveInt = 32,
        max_width: PositiveInt = 512,
        hidden: PositiveInt | None = None,
        norm: Norm | None = None,
        activation: Activation = nn.ReLU,
        init_std: float | None = None,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        sizes = stages_between(in_shape, out_shape)
        widths = [in_shape[0], *stage_widths(len(sizes) - 1, width, max_width)]
        self.layers = nn.Sequential()
        for stage, (c_in, c_out) in enumerate(pairwise(widths)):
            stage_norm = norm if stage > 0 else None
            self.layers.append(nn.Conv2d(c_in, c_out, 4, stride=2, padding=1, bias=stage_norm is None))
            self.layers.extend(activated(c_out, stage_norm, activation))
        head = _connected((widths[-1], *sizes[-1]), out_shape, hidden, activation)
        self.layers.extend(head)
        self.n_features = len(self.layers) - len(head)
        init_normal(self, init_std)
        if spectral_norm:
            add_spectral_norm(self)

    def features(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to the activations of the last stage, (B, channels, h, w)."""
        return self.layers[: self.n_features](x)

    def head(self, features: Tensor) -> Tensor:
        """Map the last stage's activations to (B, *out_shape): the last layer."""
        return self.layers[self.n_features :](features)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to (B, *out_shape): `head(features(x))`."""
        return self.layers(x)


class ConvUp(nn.Module):
    """Decoder or generator, the mirror of `ConvDown`: one fully connected layer, then transposed convolutions.

    Every stage doubles the image by a 4x4 transposed convolution of stride 2 and padding 1, plus one row or column
    of output padding where the mirrored halving had rounded down, so that odd sizes come back exactly.

    Args:
        in_shape: shape of one code, such as (latent_dim,), or of maps (C, h, w), to which the first layer is a 3x3
            convolution.
        out_shape: (C, H, W), sides from 8 to 512, odd ones too.
        output: makes the last non-linearity; Tanh keeps images in [-1, 1].
        width, max_width, hidden, norm, activation, init_std: as in `ConvDown`, with `width` at the finest stage.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        out_shape: ImageShape,
        *,
        width: PositiveInt = 32,
        max_width: PositiveInt = 512,
        hidden: PositiveInt | None = None,
        norm: Norm | None = None,
        activation: Activation = nn.ReLU,
        output: Activation = nn.Tanh,
        init_std: float | None = None,
    ) -> None:
        super().__init__()
        sizes = stages_between(out_shape, in_shape)[::-1]
        widths = [*stage_widths(len(sizes) - 1, width, max_width)[::-1], out_shape[0]]
        self.layers = nn.Sequential(*_connected(in_shape, (widths[0], *sizes[0]), hidden, activation))
        for (c_in, c_out), (coarse, fine) in zip(pairwise(widths), pairwise(sizes), strict=True):
            odd = (fine[0] - 2 * coarse[0], fine[1] - 2 * coarse[1])
            self.layers.extend(activated(c_in, norm, activation))
            self.layers.append(nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1, output_padding=odd))
        self.layers.append(output())
        init_normal(self, init_std)

    def forward(self, z: Tensor) -> Tensor:
        """Map codes (B, *in_shape) to images (B, C, H, W)."""
        return self.layers(z)


def _connected(
    in_shape: tuple[int, ...], out_shape: tuple[int, ...], hidden: int | None, activation: Activation
) -> list[nn.Module]:
    """The layer between the coarsest maps and a code, or two with so many units between them if that is a vector."""
    if hidden is None or are_maps(in_shape, out_shape):
        return connected(in_shape, out_shape)
    return [*connected(in_shape, (hidden,)), activation(), *connected((hidden,), out_shape)]
