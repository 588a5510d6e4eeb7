"""Layers of latent diffusion's first stage."""

from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention

from genlab.networks.layers import conv3x3

MOST_GROUPS, SMALLEST_GROUP = 32, 4  # of a group normalisation: in the source 32 groups, of 4 channels or more


def group_norm(channels: int) -> nn.GroupNorm:
    """Normalise groups of channels (Wu and He 2018): as many as divide their number, at most 32, of 4 or more."""
    most = min(MOST_GROUPS, max(1, channels // SMALLEST_GROUP))
    return nn.GroupNorm(next(n for n in range(most, 0, -1) if channels % n == 0), channels, eps=1e-6)


def normed(channels: int) -> list[nn.Module]:
    """The normalisation and the SiLU before a convolution."""
    return [group_norm(channels), nn.SiLU()]


class NormedBlock(nn.Module):
    """A shortcut, with a 1x1 convolution where channels change, plus norm, SiLU, 3x3, norm, SiLU, 3x3."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        first, second = conv3x3(c_in, c_out), conv3x3(c_out, c_out)
        self.branch = nn.Sequential(*normed(c_in), first, *normed(c_out), second)
        self.shortcut = nn.Identity() if c_in == c_out else nn.Conv2d(c_in, c_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, c_in, h, w) to (B, c_out, h, w)."""
        return self.shortcut(x) + self.branch(x)


class SelfAttention(nn.Module):
    """x plus what each place takes from all places of the map, by one head (Vaswani et al. 2017, eq. 1)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm, self.query_key_value = group_norm(channels), nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same shape."""
        parts = self.query_key_value(self.norm(x)).flatten(2).transpose(1, 2).unsqueeze(1).chunk(3, dim=-1)
        found = scaled_dot_product_attention(*parts)  # (B, 1, h w, C)
        return x + self.out(found.squeeze(1).transpose(1, 2).unflatten(2, x.shape[2:]))


class StridedConv(nn.Module):
    """A 3x3 convolution of stride 2, padded below and on the right alone: sides are halved, rounded down."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C, h // 2, w // 2)."""
        return self.conv(pad(x, (0, 1, 0, 1)))
