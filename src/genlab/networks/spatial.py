"""The first stage of latent diffusion, small: residual blocks and attention (Rombach et al. 2022; Esser et al. 2021).

Between images and codes of maps there is no fully connected layer; a vector has one, at the coarsest map.
"""

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from genlab.bounds import PositiveInt
from genlab.errors import UsageError
from genlab.networks.layers import (
    Activation,
    Depth,
    ImageShape,
    add_spectral_norm,
    connected,
    conv3x3,
    stage_widths,
    stages_between,
)
from genlab.networks.spatial_blocks import NormedBlock, SelfAttention, StridedConv, normed


class SpatialDown(nn.Module):
    """Encoder: at each size residual blocks, between sizes a 3x3 convolution of stride 2, at the coarsest attention.

    Every halving rounds down. There are as many as give the size of the maps that are wanted, or for a vector as leave
    at least 4 pixels a side.

    Args:
        in_shape: (C, H, W), sides from 8 to 512, odd ones too.
        out_shape: shape of one output: maps (C, h, w), the size of which is that of a halving, or a vector.
        width: channels at the image's own size; they double at each halving. 128 in the source.
        max_width: where doubling ends.
        depth: residual blocks at each size; 2 in the source.
        attention: whether places of the coarsest map attend to each other: the square of their number is computed.
        gradient_checkpointing: whether activations are computed twice in place of being kept: less memory, more time,
            the same gradients.
        spectral_norm: whether every weight is divided by its largest singular value.

    Raises:
        UsageError: for a size that does not fit, or for both of the last two.
    """

    def __init__(
        self,
        in_shape: ImageShape,
        out_shape: tuple[int, ...],
        *,
        width: PositiveInt = 16,
        max_width: PositiveInt = 128,
        depth: Depth = 1,
        attention: bool = True,
        gradient_checkpointing: bool = False,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        if gradient_checkpointing and spectral_norm:
            raise UsageError(
                "gradient_checkpointing=true with spectral_norm=true would give wrong gradients, as weights change "
                "each time they are computed: leave one out."
            )
        self.gradient_checkpointing = gradient_checkpointing
        sizes = stages_between(in_shape, out_shape)
        c_in, *wider = stage_widths(len(sizes), width, max_width)
        self.stages = nn.Sequential(conv3x3(in_shape[0], c_in), blocks(c_in, c_in, depth))
        for c_out in wider:
            self.stages.extend([StridedConv(c_in), blocks(c_in, c_out, depth)])
            c_in = c_out
        self.stages.append(middle(c_in, attention))
        self.last = nn.Sequential(*normed(c_in), *connected((c_in, *sizes[-1]), out_shape))
        if spectral_norm:
            add_spectral_norm(self)

    def features(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to the activations of the coarsest size, (B, channels, h, w)."""
        return run(self.stages, x, self.gradient_checkpointing)

    def head(self, features: Tensor) -> Tensor:
        """Map the coarsest activations to (B, *out_shape): norm, SiLU and the last layer."""
        return self.last(features)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to (B, *out_shape): `head(features(x))`."""
        return self.head(self.features(x))


class SpatialUp(nn.Module):
    """Decoder, the mirror of `SpatialDown`: nearest-neighbour upsampling and a 3x3 convolution between sizes.

    That convolution narrows the map, and not the block after it as in the source, which takes 1.5 times as long.

    Args:
        in_shape: shape of one code, maps (C, h, w) or a vector.
        out_shape: (C, H, W), sides from 8 to 512, odd ones too.
        output: makes the last non-linearity; Tanh keeps images in [-1, 1].
        width, max_width, depth, attention, gradient_checkpointing: as in `SpatialDown`.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        out_shape: ImageShape,
        *,
        width: PositiveInt = 16,
        max_width: PositiveInt = 128,
        depth: Depth = 1,
        attention: bool = True,
        gradient_checkpointing: bool = False,
        output: Activation = nn.Tanh,
    ) -> None:
        super().__init__()
        self.gradient_checkpointing = gradient_checkpointing
        sizes = stages_between(out_shape, in_shape)[::-1]
        c_in, *narrower = stage_widths(len(sizes), width, max_width)[::-1]
        self.first = nn.Sequential(*connected(in_shape, (c_in, *sizes[0])))
        self.stages = nn.Sequential(middle(c_in, attention), blocks(c_in, c_in, depth))
        for c_out, size in zip(narrower, sizes[1:], strict=True):
            enlarge = nn.Sequential(nn.Upsample(size=size), conv3x3(c_in, c_out))
            self.stages.extend([enlarge, blocks(c_out, c_out, depth)])
            c_in = c_out
        self.stages.append(nn.Sequential(*normed(c_in), conv3x3(c_in, out_shape[0]), output()))

    def forward(self, z: Tensor) -> Tensor:
        """Map codes (B, *in_shape) to images (B, C, H, W)."""
        return run(self.stages, self.first(z), self.gradient_checkpointing)


def blocks(c_in: int, c_out: int, depth: int) -> nn.Sequential:
    """Residual blocks from c_in channels to c_out."""
    return nn.Sequential(*(NormedBlock(c_in if i == 0 else c_out, c_out) for i in range(depth)))


def middle(channels: int, attention: bool) -> nn.Sequential:
    """What stands at the coarsest size: a block, attention, and a block."""
    between = [SelfAttention(channels)] if attention else []
    return nn.Sequential(NormedBlock(channels, channels), *between, NormedBlock(channels, channels))


def run(stages: nn.Sequential, x: Tensor, gradient_checkpointing: bool) -> Tensor:
    """Apply stages in turn; with `gradient_checkpointing` only what goes from one to the next is kept for gradients."""
    for stage in stages:
        x = checkpoint(stage, x, use_reentrant=False) if gradient_checkpointing and stage.training else stage(x)
    return x
