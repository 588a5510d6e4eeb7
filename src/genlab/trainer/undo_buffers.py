"""What a batch changes besides weights, kept until its update is made."""

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor


class UndoBuffers:
    """Buffers of a model (the running statistics of batch normalisation) and what else it counts in a batch."""

    def __init__(self) -> None:
        self._buffers: list[Tensor] = []
        self._rest: dict[str, Any] = {}

    @torch.no_grad()
    def remember(self, model: Any) -> None:
        """Copy it."""
        buffers = list(model.buffers())
        if [b.shape for b in buffers] != [b.shape for b in self._buffers]:
            self._buffers = [buffer.clone() for buffer in buffers]
        else:
            for mine, theirs in zip(self._buffers, buffers, strict=True):
                mine.copy_(theirs)
        self._rest = deepcopy(model.rank_state())

    @torch.no_grad()
    def put_back(self, model: Any) -> None:
        """Put it back, behind the back of autograd: graphs of the same batch may still have to be gone through."""
        for mine, theirs in zip(self._buffers, model.buffers(), strict=True):
            theirs.data.copy_(mine)
        model.load_rank_state(self._rest)
