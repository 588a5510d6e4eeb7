"""The one DataModule: arrays in memory, batches by one index, conversion on the device."""

from collections.abc import Iterable
from typing import Any

from lightning.pytorch import LightningDataModule
from torch import Generator, Tensor
from torch.utils.data import DataLoader, Dataset

from genlab.data.sampler import EvaluationBatches, TrainBatches
from genlab.errors import UsageError, whole_number
from genlab.images import to_float
from genlab.protocols import Source, Split


class ImageDataModule(LightningDataModule):
    """Serves batches (x, y): images (B, C, H, W), uint8 until they are on the device, then float32 in [-1, 1].

    Args:
        source: gives the splits.
        name: of the data set; part of each score's protocol.
        channels: 1 or 3.
        size: height and width in pixels.
        image_shape: (channels, size, size), the key to which models refer.
        batch_size: images a batch and process.
        limit: use at most so many images of each split; None for all.
        num_workers: loader processes. Gathering from memory is faster without any.
        seed: fixes the order of training images.

    Raises:
        UsageError: for an impossible value, or a batch that is larger than the training split.
    """

    def __init__(
        self,
        source: Source,
        name: str,
        channels: int,
        size: int,
        image_shape: Iterable[int],
        batch_size: int,
        limit: int | None = None,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.source, self.name, self.seed = source, name, seed
        self.image_shape = tuple(image_shape)
        self.size, self.channels = whole_number("data.size", size, 8), channels
        if channels not in (1, 3):
            raise UsageError(f"data.channels={channels} is not possible: it must be 1 (grey) or 3 (colour).")
        if size > 256:
            raise UsageError(f"data.size={size} is not possible: the networks take 8 to 256 pixels.")
        self.batch_size = whole_number("data.batch_size", batch_size)
        self.limit = None if limit is None else whole_number("data.limit", limit)
        self.num_workers = whole_number("data.num_workers", num_workers, 0)
        self.splits: dict[str, Split] = {}

    def setup(self, stage: str | None = None) -> None:
        """Read the source once."""
        if self.splits:
            return
        splits = self.source(size=self.size, channels=self.channels)
        self.splits = {
            name: Split(part.images[: self.limit], part.labels[: self.limit]) for name, part in splits.items()
        }
        self._check_sizes()

    def _check_sizes(self) -> None:
        n_train, (_, n_processes) = len(self.splits["train"].images), self._rank_and_world_size()
        if n_train < self.batch_size * n_processes:
            raise UsageError(
                f"data.batch_size={self.batch_size} on {n_processes} process(es) is more than the {n_train} training "
                f"images of {self.name}: type data.batch_size={max(1, n_train // n_processes)} or less."
            )

    def images(self, split: str) -> Tensor:
        """All uint8 images (N, C, H, W) of a split: train, val or test."""
        self.setup()
        return self.splits[split].images

    def train_dataloader(self) -> DataLoader:
        """Shuffled, full batches."""
        rank, world_size = self._rank_and_world_size()
        split = self.splits["train"]
        return self._loader(split, TrainBatches(len(split.images), self.batch_size, self.seed, rank, world_size))

    def val_dataloader(self) -> DataLoader:
        """Every validation image once."""
        return self._evaluation_loader("val")

    def test_dataloader(self) -> DataLoader:
        """Every test image once."""
        return self._evaluation_loader("test")

    def _evaluation_loader(self, name: str) -> DataLoader:
        rank, world_size = self._rank_and_world_size()
        split = self.splits[name]
        return self._loader(split, EvaluationBatches(len(split.images), self.batch_size, rank, world_size))

    def _loader(self, split: Split, batches: Any) -> DataLoader:
        return DataLoader(
            GatheredSplit(split),
            sampler=batches,
            batch_size=None,  # the sampler gives whole batches, and the data set gathers each by one index
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=self._on_cuda(),
            generator=Generator(),  # a loader without one draws from PyTorch's global one at every epoch
        )

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> tuple[Tensor, Tensor]:
        """Convert the images to float32 in [-1, 1], on the device that they are on by now."""
        x, y = batch
        return to_float(x), y

    def _rank_and_world_size(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _on_cuda(self) -> bool:
        return self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"


class GatheredSplit(Dataset):
    """A split that is indexed by whole batches of row numbers."""

    def __init__(self, split: Split) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split.images)

    def __getitem__(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        return self.split.images[rows], self.split.labels[rows]
