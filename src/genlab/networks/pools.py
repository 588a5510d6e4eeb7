"""Pooling by 2 and the way back: each unpooling is the adjoint of its pooling."""

from math import prod

from torch import Tensor, nn
from torch.nn import functional as F

from genlab.errors import UsageError


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
