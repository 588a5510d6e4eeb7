"""Quantisers whose codebooks are fixed: a grid (FSQ), or the corners of a cube (LFQ)."""

from collections.abc import Sequence
from math import log2, prod
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from genlab.bounds import NonNegativeFloat
from genlab.distributed import rank_and_world_size
from genlab.errors import UsageError
from genlab.networks.quantizers import LARGEST_CODEBOOK, CodebookSize, Quantizer, library


class FSQ(Quantizer):
    """Finite scalar quantisation (Mentzer et al. 2024): each number is bounded and rounded to one of a few levels.

    The codebook is the grid of all levels and there is no penalty. Where a vector has not as many numbers as there are
    levels, a linear layer leads there and another one back.

    Args:
        shape: that of one code.
        levels: how many each number has, 3 or more; the source's for 2^8, 2^10, 2^12 and 2^14 entries are [8,6,5],
            [8,5,5,5], [7,5,5,5,5] and [8,8,8,6,5].
    """

    def __init__(self, shape: Sequence[int], *, levels: Sequence[Annotated[int, Ge(3)]] = (8, 5, 5, 5)) -> None:
        if not levels or prod(levels) > LARGEST_CODEBOOK:
            typed = f"[{','.join(map(str, levels))}]"
            raise UsageError(
                f"model.quantizer.levels={typed} is a codebook of {prod(levels) if levels else 'no'} entries: give "
                f"levels whose product is at most {LARGEST_CODEBOOK}, as [8,5,5,5]."
            )
        super().__init__(shape, prod(levels))
        self.grid = library().FSQ(list(levels), dim=shape[0])

    def rounded(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rounded, indices = self.grid(vectors)
        return rounded, indices.long().unsqueeze(2), vectors.new_zeros(())

    def chosen(self, vectors: Tensor) -> Tensor:
        return self.rounded(vectors)[1]

    def entries(self) -> Tensor:
        return self.grid.indices_to_codes(torch.arange(self.codebook_size, device=self.grid.implicit_codebook.device))[
            None
        ]


class LFQ(Quantizer):
    """Lookup-free quantisation (Yu et al. 2024, section 3.1): the signs of log2(codebook_size) numbers.

    The penalty is entropy_weight (E[H(q(k|z))] - H(E[q(k|z)])), which asks for sure decisions and for a codebook that
    is used alike, plus commitment_weight |z - sign(z)|^2. Linear layers as in `FSQ`.

    Args:
        shape: that of one code.
        codebook_size: a power of two.
        entropy_weight: of the entropies, in nats a place.
        commitment_weight: of the squared distance.
    """

    def __init__(
        self,
        shape: Sequence[int],
        *,
        codebook_size: CodebookSize = 512,
        entropy_weight: NonNegativeFloat = 1.0,
        commitment_weight: NonNegativeFloat = 1.0,
    ) -> None:
        if not log2(codebook_size).is_integer():
            below = 2 ** int(log2(codebook_size))
            raise UsageError(
                f"model.quantizer.codebook_size={codebook_size} is no power of two, as the signs of numbers give: type "
                f"{below} or {2 * below}."
            )
        super().__init__(shape, codebook_size)
        self.entropy_weight, self.commitment_weight = entropy_weight, commitment_weight
        self.signs = library().LFQ(dim=shape[0], codebook_size=codebook_size, commitment_loss_weight=1.0)

    def train(self, mode: bool = True) -> "LFQ":
        """Leave the library's module as it is: it computes its terms in training mode alone, and has no other."""
        self.training = mode
        return self

    def rounded(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        found, terms = self.signs(vectors, return_loss_breakdown=True)
        n_processes = rank_and_world_size()[1]  # the library divides probabilities by it without having summed them
        entropies = terms.per_sample_entropy - n_processes * terms.batch_entropy
        # The library takes the mean over the numbers of a vector.
        penalty = self.entropy_weight * entropies + self.commitment_weight * log2(self.codebook_size) * terms.commitment
        return found.quantized, found.indices.long().unsqueeze(2), penalty

    def chosen(self, vectors: Tensor) -> Tensor:
        return ((self.signs.project_in(vectors) > 0) * self.signs.mask).sum(2, keepdim=True)

    def entries(self) -> Tensor:
        return self.signs.indices_to_codes(torch.arange(self.codebook_size, device=self.signs.mask.device))[None]
