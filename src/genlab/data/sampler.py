"""Which images make up which batch, on which process."""

from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

import torch
from torch import Tensor


class Rows(NamedTuple):
    """One batch: the numbers of its images (B,), and the seed of all that is random about it."""

    rows: Tensor
    seed: int


class TrainBatches:
    """Batches for training, shuffled anew each epoch.

    They are a function of (seed, epoch) alone, so a resumed run sees the batches that the uninterrupted one would have
    seen. In each epoch an image is seen at most once over all processes, every batch is full (`batch_size` images on
    each process), and all processes get equally many; the rest is left to another epoch's order.
    """

    def __init__(self, n_images: int, batch_size: int, seed: int, rank: int = 0, world_size: int = 1) -> None:
        self.n_images, self.batch_size, self.seed = n_images, batch_size, seed
        self.rank, self.world_size = rank, world_size
        self.epoch = 0
        self._resumed = (0, 0)

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this."""
        self.epoch = epoch

    def resume(self, epoch: int, position: int) -> None:
        """Leave the first `position` batches of an epoch out: they have been trained on."""
        self._resumed = (epoch, position)

    @property
    def start(self) -> int:
        """The batch to start from in this epoch."""
        epoch, position = self._resumed
        return position if epoch == self.epoch else 0

    def __len__(self) -> int:
        return self.n_images // (self.batch_size * self.world_size)

    def __iter__(self) -> Iterator[Rows]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(self.n_images, generator=generator)
        joint = order[: len(self) * self.batch_size * self.world_size].view(len(self), self.world_size, -1)
        seeds = torch.randint(2**62, (len(self), self.world_size), generator=generator)
        for step in range(self.start, len(self)):
            yield Rows(joint[step, self.rank], int(seeds[step, self.rank]))


class EvaluationBatches:
    """Batches for evaluation: each image exactly once over all processes, in a fixed order.

    All processes get the same number of batches, of sizes that differ by at most one, so that none waits for another
    in a collective operation. No two batches have the same noise, nor those of another split (a number, 0 to 2).
    """

    epoch = start = 0  # the same in every epoch, and always from the beginning

    def __init__(self, n_images: int, batch_size: int, rank: int = 0, world_size: int = 1, split: int = 0) -> None:
        self._first_seed, self._seed_step = 3 * rank + split, 3 * world_size
        mine = torch.arange(n_images)[rank::world_size]
        largest_share = -(-n_images // world_size)
        self.batches = mine.tensor_split(-(-largest_share // batch_size))

    def resume(self, epoch: int, position: int) -> None:
        """Start from the beginning all the same."""

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Rows]:
        return map(Rows, self.batches, count(self._first_seed, self._seed_step))
