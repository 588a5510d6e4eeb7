"""Batches out of arrays, by one index each, at a position that a checkpoint keeps."""

import atexit
import multiprocessing
from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import Generator, Tensor
from torch.utils.data import DataLoader, Dataset

from genlab.data.sampler import EvaluationBatches, Rows, TrainBatches
from genlab.devices import send
from genlab.interrupts import blocked
from genlab.protocols import Split


class RawBatch(NamedTuple):
    """A batch before it is on the device: uint8 images (B, C, H, W), labels, and the seed of its own generator."""

    images: Tensor
    labels: Tensor
    seed: int
    is_training: bool


class Batches(Dataset):
    """A split that is indexed by whole batches."""

    def __init__(self, split: Split, is_training: bool) -> None:
        self.split, self.is_training = split, is_training

    def __getitem__(self, batch: Rows) -> RawBatch:
        rows = send(batch.rows, self.split.labels.device)
        return RawBatch(self.split.images[rows], self.split.labels[rows], batch.seed, self.is_training)


def kill_workers() -> None:
    """End the workers of all loaders. At exit Python sends SIGTERM, which they have blocked, and waits without end."""
    for worker in multiprocessing.active_children():
        worker.kill()


class BatchLoader(DataLoader):
    """Loads the batches of a sampler, and counts those that it has given out.

    Lightning puts its `state_dict` into every checkpoint and hands it back when a run is resumed.
    """

    def __init__(self, split: Split, sampler: TrainBatches | EvaluationBatches, num_workers: int, pin: bool) -> None:
        super().__init__(
            Batches(split, isinstance(sampler, TrainBatches)),
            sampler=sampler,
            batch_size=None,  # the sampler gives whole batches, and the data set gathers each by one index
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            pin_memory=pin,
            generator=Generator(),  # a loader without one draws from PyTorch's global one at every epoch
        )
        self.batches, self.position = sampler, 0
        if num_workers > 0:
            atexit.register(kill_workers)

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Start when the first batch is asked for: Lightning makes the iterator before it sets the epoch."""
        self.position = self.batches.start
        if self.num_workers == 0 and not self.pin_memory:  # PyTorch's iterator takes as long as gathering a batch
            batches: Iterator[Any] = map(self.dataset.__getitem__, self.batches)
        else:
            with blocked():  # workers outlive a signal to all processes: the run makes a step more and saves
                batches = super().__iter__()
        for batch in batches:
            self.position += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """The epoch, and how many of its batches have been given out."""
        return {"epoch": self.batches.epoch, "position": self.position}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on from there."""
        self.batches.resume(**state_dict)
