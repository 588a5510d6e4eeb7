"""A discriminator that judges patches of an image, each by itself."""

from itertools import pairwise
from math import prod

from torch import Tensor, nn

from genlab.bounds import PositiveInt
from genlab.networks.layers import (
    Activation,
    ImageShape,
    Norm,
    activated,
    add_spectral_norm,
    init_normal,
    stage_sizes,
    stage_widths,
)


class PatchDown(nn.Module):
    """PatchGAN (Isola et al. 2017, appendix 6.1.2): convolutions without a fully connected layer.

    Every stage halves the map by a 4x4 convolution of stride 2 and padding 1, as long as 4 pixels a side are left; a
    4x4 convolution of stride 1 and another one to the logits follow. With a depth of 3 a logit sees 70x70 pixels. The
    first stage has no normalisation.

    Args:
        in_shape: (C, H, W), sides from 8 pixels on.
        out_shape: (1,) for a logit a patch, (B, 1, h, w). Of a longer vector, as in a BiGAN, the mean over all patches
            is given.
        width: channels of the first stage; they double at each further one.
        max_width: where doubling ends; 8 times the width in the source.
        depth: stages that halve, at most.
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
        depth: PositiveInt = 3,
        norm: Norm | None = None,
        activation: Activation = nn.LeakyReLU,
        init_std: float | None = None,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        n_halving = min(depth, len(stage_sizes(in_shape)) - 1)
        self.out_shape = out_shape
        widths = [in_shape[0], *stage_widths(n_halving + 1, width, max_width)]
        self.layers = nn.Sequential()
        for stage, (c_in, c_out) in enumerate(pairwise(widths)):
            stage_norm = norm if stage > 0 else None
            stride = 2 if stage < n_halving else 1
            self.layers.append(nn.Conv2d(c_in, c_out, 4, stride=stride, padding=1, bias=stage_norm is None))
            self.layers.extend(activated(c_out, stage_norm, activation))
        self.last = nn.Conv2d(widths[-1], prod(out_shape), 4, padding=1)
        init_normal(self, init_std)
        if spectral_norm:
            add_spectral_norm(self)

    def features(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to the activations of the last stage, (B, channels, h, w)."""
        return self.layers(x)

    def head(self, features: Tensor) -> Tensor:
        """Map the last stage's activations to logits of patches (B, 1, h, w), or to a vector (B, *out_shape)."""
        patches = self.last(features)
        return patches if self.out_shape == (1,) else patches.mean((2, 3)).unflatten(1, self.out_shape)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to logits (B, 1, h, w), or to a vector: `head(features(x))`."""
        return self.head(self.features(x))
