"""Which images make up which batch, on which process."""

from collections.abc import Iterator

import torch
from torch import Tensor


class TrainBatches:
    """Batches of row numbers for training, shuffled anew each epoch.

    The order is a function of (seed, epoch) alone, so a resumed run sees the order that the uninterrupted one would
    have seen. In each epoch an image is seen at most once over all processes, every batch is full, and all processes
    get equally many; what does not fill a batch on each of them is left to another epoch's order.

    Args:
        n_images: size of the training split.
        batch_size: images a batch and process.
        seed: with the epoch it fixes the order.
        rank, world_size: this process, and how many there are.
    """

    def __init__(self, n_images: int, batch_size: int, seed: int, rank: int = 0, world_size: int = 1) -> None:
        self.n_images, self.batch_size, self.seed = n_images, batch_size, seed
        self.rank, self.world_size = rank, world_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.n_images // (self.batch_size * self.world_size)

    def __iter__(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(self.n_images, generator=generator)
        joint = order[: len(self) * self.batch_size * self.world_size].view(len(self), self.world_size, -1)
        return iter(joint[:, self.rank])


class EvaluationBatches:
    """Batches of row numbers for evaluation: each image exactly once over all processes, in a fixed order.

    All processes get the same number of batches, of sizes that differ by at most one, so that none waits for another
    in a collective operation.
    """

    def __init__(self, n_images: int, batch_size: int, rank: int = 0, world_size: int = 1) -> None:
        mine = torch.arange(n_images)[rank::world_size]
        largest_share = -(-n_images // world_size)
        self.batches = mine.tensor_split(-(-largest_share // batch_size))

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.batches)
