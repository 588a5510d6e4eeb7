"""The quantiser that learns its codebook."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from genlab.bounds import PositiveInt, Share
from genlab.distributed import rank_and_world_size
from genlab.errors import UsageError
from genlab.networks.quantizers import CodebookSize, Quantizer, library, nearest


class VQ(Quantizer):
    """Codebooks that follow the vectors by moving averages (van den Oord et al. 2017, appendix A.1).

    With a depth of more than one each further codebook rounds what the ones before have left (Zeghidour et al. 2022,
    algorithm 1). The penalty is the commitment, |z - e|^2 of each vector z and its entry e, which holds still.

    Args:
        shape: that of one code.
        codebook_size: entries of each codebook, K.
        depth: codebooks, at most as many as a vector has numbers.
        decay: share of the moving averages that stays at a step.
        kmeans_init: whether entries start as the means of K clusters of the first batch; or drawn from N(0, 1).
        expire: an entry is dead that is used less than this share of what each would be if all were used alike: it is
            replaced by a vector of the batch. 0 for never.
        rotation_trick: how gradients pass: turned from the entry to the vector (Fifty et al. 2024) and not copied.
    """

    def __init__(
        self,
        shape: Sequence[int],
        *,
        codebook_size: CodebookSize = 512,
        depth: PositiveInt = 1,
        decay: Share = 0.99,
        kmeans_init: bool = True,
        expire: Share = 0.05,
        rotation_trick: bool = False,
    ) -> None:
        super().__init__(shape, codebook_size, depth)
        if depth > shape[0]:
            raise UsageError(
                f"model.quantizer.depth={depth} is more than the {shape[0]} numbers of a vector: type "
                f"model.quantizer.depth={shape[0]} or less, or a code of more channels."
            )
        self.decay, self.kmeans_init, self.expire = decay, kmeans_init, expire
        self.rotation_trick = rotation_trick
        self.codebooks: Any = self._codebooks(use_ddp=False)
        for codebook in self.codebooks:  # k-means waits for vectors, and until then all entries would be alike
            codebook.embed.normal_()

    def _codebooks(self, use_ddp: bool) -> Any:
        options = {"kmeans_init": self.kmeans_init, "decay": self.decay, "use_ddp": use_ddp}
        threshold = float(self.expire > 0)  # which `_set_threshold` sets
        make = library().vector_quantize_pytorch.Codebook
        return nn.ModuleList(
            make(self.shape[0], self.codebook_size, threshold_ema_dead_code=threshold, **options)
            for _ in range(self.depth)
        )

    def synchronise(self) -> None:
        """Sum over all processes what the codebooks follow, and share what is drawn for them."""
        with torch.random.fork_rng(devices=[]):  # for entries that are replaced at once
            codebooks = self._codebooks(use_ddp=True)
        codebooks.load_state_dict(self.codebooks.state_dict())
        self.codebooks = codebooks.to(self.entries().device)

    def rounded(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rest, penalty, indices = vectors, vectors.new_zeros(()), []
        for codebook in self.codebooks:
            entry, own = self._entry(codebook, rest.detach())
            penalty = penalty + (rest - entry).square().sum(2).mean()
            rest = rest - entry
            indices.append(own)
        total = (vectors - rest).detach()
        if self.rotation_trick:
            return library().vector_quantize_pytorch.rotate_to(vectors, total), torch.stack(indices, 2), penalty
        return vectors + (total - vectors).detach(), torch.stack(indices, 2), penalty

    @torch.no_grad()
    def _entry(self, codebook: Any, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Entries (B, places, C) for as many vectors, and their numbers (B, places); in training, learn from them."""
        if not self.training:
            own = nearest(vectors, codebook.embed[0])
            return codebook.embed[0][own], own
        # The library counts vectors of a batch: how many an entry would get depends on the batch.
        n = vectors.shape[0] * vectors.shape[1] * (rank_and_world_size()[1] if codebook.use_ddp else 1)
        threshold = self.expire * n / self.codebook_size
        codebook.threshold_ema_dead_code = codebook.reset_cluster_size = threshold
        entry, own, _ = codebook(vectors)
        return entry, own

    def chosen(self, vectors: Tensor) -> Tensor:
        return self.search(vectors)

    def entries(self) -> Tensor:
        return torch.stack([codebook.embed[0] for codebook in self.codebooks])
