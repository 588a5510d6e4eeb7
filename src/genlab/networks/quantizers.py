"""Maps that round the vectors of a code to entries of a codebook, by the library vector-quantize-pytorch.

A vector lies along the first axis of a code: a code (C, h, w) is h * w vectors, and a code (C,) is one. The library
learns codebooks; what needs no learning (the nearest entries, and back) is written here, as it has to be traced for an
export. Its names are those of version 1.32.0 (networks/test_quantizers.py).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import prod
from typing import Annotated, Any, NamedTuple

import torch
from annotated_types import Interval
from torch import Tensor, nn

from genlab.errors import UsageError

LARGEST_CODEBOOK = 2**16  # entries: the prior of a VQ-VAE counts each of them at each place
CodebookSize = Annotated[int, Interval(ge=2, le=LARGEST_CODEBOOK)]


class Quantized(NamedTuple):
    """What a quantiser makes of codes."""

    z: Tensor  # (B, *latent_shape), entries of the codebook, through which gradients pass as if nothing was rounded
    indices: Tensor  # (B, n_indices), long
    penalty: Tensor  # what the encoder minimises besides, a scalar: summed over a code, mean over the batch


class Quantizer(nn.Module, ABC):
    """What all quantisers share: from codes to vectors and back.

    Args:
        shape: that of one code: (C, h, w), or (C,).
        codebook_size: entries of a codebook.
        depth: entries that are added up to one vector.
    """

    def __init__(self, shape: Sequence[int], codebook_size: int, depth: int = 1) -> None:
        super().__init__()
        self.shape, self.codebook_size, self.depth = tuple(shape), codebook_size, depth
        self.n_indices = prod(shape[1:]) * depth

    @abstractmethod
    def rounded(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map vectors (B, places, C) to rounded ones, numbers (B, places, depth), and the penalty of a mean place."""

    @abstractmethod
    def chosen(self, vectors: Tensor) -> Tensor:
        """Map vectors (B, places, C) to the numbers (B, places, depth) that they are rounded to; learn nothing."""

    @abstractmethod
    def entries(self) -> Tensor:
        """All entries, (depth, codebook_size, C)."""

    def synchronise(self) -> None:
        """Learn one codebook with the other processes; to be called once they form a group."""

    def forward(self, z: Tensor) -> Quantized:
        """Round codes (B, *latent_shape); in training mode the codebook learns from them."""
        rounded, indices, penalty = self.rounded(self._vectors(z))
        return Quantized(self._codes(rounded), indices.flatten(1), penalty * prod(self.shape[1:]))

    def round(self, z: Tensor) -> Tensor:
        """Round codes (B, *latent_shape) as `forward` does, without learning from them."""
        return self._codes(self._look_up(self.chosen(self._vectors(z))))

    def to_indices(self, z: Tensor) -> Tensor:
        """Map rounded codes (B, *latent_shape), or any others, to the numbers (B, n_indices) of the nearest entries.

        With a depth of more than one it is one codebook after the other, which need not find the very entries that a
        rounded code is the sum of, but a sum that is about as near.
        """
        return self.search(self._vectors(z)).flatten(1)

    def from_indices(self, indices: Tensor) -> Tensor:
        """Map numbers (B, n_indices), long, to codes (B, *latent_shape)."""
        return self._codes(self._look_up(indices.unflatten(1, (-1, self.depth))))

    def moments(self, frequencies: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of each entry of a code, `latent_shape` each, whose indices are independent.

        Args:
            frequencies: of each number at each index, (n_indices, codebook_size), in [0, 1].
        """
        weights = frequencies.unflatten(0, (-1, self.depth)).transpose(0, 1)  # (depth, places, codebook_size)
        means, squares = weights @ self.entries(), weights @ self.entries().square()
        variances = (squares - means.square()).clamp_min(0)
        return self._codes(means.sum(0)[None])[0], self._codes(variances.sum(0)[None])[0]

    def search(self, vectors: Tensor) -> Tensor:
        """Map vectors (B, places, C) to the numbers (B, places, depth) of entries, each nearest to what is left."""
        rest, indices = vectors, []
        for entries in self.entries():
            indices.append(nearest(rest, entries))
            rest = rest - entries[indices[-1]]
        return torch.stack(indices, 2)

    def _look_up(self, indices: Tensor) -> Tensor:
        """Map numbers (B, places, depth) to vectors (B, places, C)."""
        parts = [entries[own] for entries, own in zip(self.entries(), indices.unbind(2), strict=True)]
        return torch.stack(parts).sum(0)

    def _vectors(self, z: Tensor) -> Tensor:
        return z.float().reshape(z.shape[0], self.shape[0], -1).transpose(1, 2)  # len(z) would not be traced

    def _codes(self, vectors: Tensor) -> Tensor:
        return vectors.transpose(1, 2).reshape(vectors.shape[0], *self.shape)


def nearest(vectors: Tensor, entries: Tensor) -> Tensor:
    """The numbers (B, places) of the entries (codebook_size, C) that are nearest to vectors (B, places, C)."""
    return (entries.square().sum(1) - 2 * vectors @ entries.T).argmin(2)


def library() -> Any:
    """The package vector_quantize_pytorch, which takes seconds to import.

    Raises:
        UsageError: if it is not installed.
    """
    try:
        import vector_quantize_pytorch
        from loguru import logger
    except ImportError as error:
        raise UsageError(
            "model/quantizer needs the package vector-quantize-pytorch, which is not installed: type pip "
            'install -e ".[vq]".'
        ) from error
    logger.disable("vector_quantize_pytorch")  # it writes past our log where a first batch is small
    return vector_quantize_pytorch
