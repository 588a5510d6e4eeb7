"""Batches of NaN, and what they are to leave alone."""

from copy import deepcopy
from typing import Any

import torch
from lightning.pytorch import Callback


class Poison(Callback):
    """Makes the images of some batches NaN, on one process or on all."""

    def __init__(self, *batches: int, rank: int | None = None) -> None:
        self.batches, self.rank = batches, rank

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if batch_idx in self.batches and self.rank in (None, trainer.global_rank):
            batch[0].fill_(float("nan"))


class States(Callback):
    """All that training changes, before each batch and at the end."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.note(trainer, pl_module)

    def on_train_epoch_end(self, trainer, pl_module):
        self.note(trainer, pl_module)

    def note(self, trainer, pl_module):
        state = {
            "weights": dict(pl_module.named_parameters()),
            "buffers": dict(pl_module.named_buffers()),
            "optimisers": [optimizer.state_dict()["state"] for optimizer in trainer.optimizers],
            "rest": {k: v for k, v in pl_module.rank_state().items() if k != "noise"},
        }
        self.seen.append(deepcopy(state))

    def same(self, a: int, b: int, *parts: str) -> bool:
        return all(equal(self.seen[a][part], self.seen[b][part]) for part in parts or self.seen[a])


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def finite(state: Any) -> bool:
    if isinstance(state, dict):
        return all(map(finite, state.values()))
    if isinstance(state, list):
        return all(map(finite, state))
    return bool(torch.as_tensor(state).isfinite().all())
