"""Halving and doubling with a fixed bilinear filter."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class _Bilinear(nn.Module):
    """Holds the filter (1, 3, 3, 1) / 8 in both directions: [1, 2, 1] and the box [1, 1] one after the other."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("kernel", torch.outer(taps, taps)[None, None], persistent=False)

    def _per_channel(self, x: Tensor) -> Tensor:
        return self.kernel.expand(x.shape[1], 1, 4, 4)


class BilinearDown(_Bilinear):
    """Halve a map, rounding down; pixels beyond its border count as zero (R3GAN, Huang et al. 2024, section 4)."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H // 2, W // 2)."""
        return F.conv2d(x, self._per_channel(x), stride=2, padding=1, groups=x.shape[1])


class BilinearUp(_Bilinear):
    """Double a map, four times the adjoint of `BilinearDown`, so that brightness stays.

    Where `odd` asks for one more row or column, the map's last one is repeated before: zeros there would leave the
    additional one at a quarter of the brightness.

    Args:
        odd: rows and columns, 0 or 1 each, beyond twice the size.
    """

    def __init__(self, odd: tuple[int, int]) -> None:
        super().__init__()
        self.odd = odd

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, 2 H + odd rows, 2 W + odd columns)."""
        height, width = (2 * side + more for side, more in zip(x.shape[2:], self.odd, strict=True))
        padded = F.pad(x, (0, self.odd[1], 0, self.odd[0]), mode="replicate")
        doubled = F.conv_transpose2d(padded, 4 * self._per_channel(x), stride=2, padding=1, groups=x.shape[1])
        return doubled[:, :, :height, :width]
