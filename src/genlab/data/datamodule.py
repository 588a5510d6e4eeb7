"""The one DataModule: arrays, batches by one index, and all that is done to a batch on the device."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal

import torch
from lightning.pytorch import LightningDataModule
from torch import Generator, Tensor

from genlab.bounds import ImageSize, NonNegativeInt, PositiveInt, StoredSize
from genlab.data.arrays import fingerprint
from genlab.data.derived import Cropped, Drawn, Joined, binarized, random_parts
from genlab.data.loader import BatchLoader, RawBatch
from genlab.data.sampler import EvaluationBatches, TrainBatches
from genlab.devices import load_onto, send
from genlab.errors import UsageError
from genlab.images import to_float
from genlab.protocols import ImageArray, Source, Split
from genlab.redaction import redact

SPLITS = ("train", "val", "test")  # each has noise of its own


class ImageDataModule(LightningDataModule):
    """Serves batches (x, y): images (B, C, H, W), uint8 until they are on the device, then float32 in [-1, 1].

    Args:
        source: gives the splits; as a partial, it is completed with the `settings`.
        name: of the data set; part of each score's protocol.
        channels: 1 (grey) or 3 (colour).
        size: height and width in pixels.
        image_shape: (channels, size, size), the key to which models refer.
        batch_size: images a batch and process.
        limit: use at most so many images of each split; None for all.
        num_workers: loader processes. Gathering from memory is faster without any.
        seed: fixes the order of training images, and which are flipped.
        flip: mirror half of the training images, others in each epoch.
        random_crop: height and width of the images that are stored, of which training shows a part of `size` pixels a
            side, another one each time, and evaluation the central one; None to store what is shown.
        binarize: None, `dynamic` (each pixel is 0 or 255, drawn anew for every batch, with its level as probability:
            Salakhutdinov and Murray, 2008) or `fixed` (drawn once: Larochelle and Murray, 2011).
        device: `auto` keeps the training images on the GPU, if there are no workers and half of its memory holds them.
        settings: what the source takes, such as `root`.

    Raises:
        UsageError: for an impossible value.
    """

    settings_go_to = "source"

    def __init__(
        self,
        source: Source | Callable[..., Source],
        name: str,
        channels: Literal[1, 3],
        size: ImageSize,
        image_shape: Iterable[int],
        batch_size: PositiveInt,
        limit: PositiveInt | None = None,
        num_workers: NonNegativeInt = 0,
        seed: int = 0,
        flip: bool = False,
        binarize: Literal["dynamic", "fixed"] | None = None,
        random_crop: StoredSize | None = None,
        device: Literal["cpu", "auto"] = "cpu",
        **settings: Any,
    ) -> None:
        super().__init__()
        self.image_shape = tuple(image_shape)
        self.size, self.channels = size, channels
        self.batch_size = batch_size
        self.limit = limit
        self.num_workers = num_workers
        self.keeps_on_device = device == "auto" and num_workers == 0
        self.name, self.seed, self.flip, self.binarize = redact(name), seed, flip, binarize
        if random_crop is not None and random_crop <= size:
            raise UsageError(
                f"data.random_crop={random_crop} is the side of the stored images, of which parts of data.size={size} "
                f"pixels are cut: type data.random_crop={size + max(1, size // 8)}, or another number above {size}."
            )
        self.random_crop = random_crop
        self.source: Any = source(**settings) if isinstance(source, partial) else source
        self.splits: dict[str, Split] = {}
        self._fingerprints: dict[str, str] = {}

    def setup(self, stage: str | None = None) -> None:
        """Read the source once; what has to be downloaded and decoded is, if no process has done so before."""
        if self.splits:
            return
        self.splits = dict(self.source(self.random_crop or self.size, self.channels, self.limit))
        if self.binarize == "fixed":
            for name, part in self.splits.items():
                noise = Generator().manual_seed(SPLITS.index(name))
                self.splits[name] = Split(binarized(part.images, noise), part.labels)

    @property
    def view(self) -> dict[str, str | None]:
        """How images are shown: a part of every score's protocol."""
        shown = getattr(self.source, "view_options", {})
        options = {key: str(shown[key]) for key in ("crop", "fit", "filter") if key in shown}
        if self.random_crop:
            options["crop"] = f"{options.get('crop', 'none')}, then the central {self.size} of {self.random_crop}"
        return {**options, "image_shape": "x".join(map(str, self.image_shape)), "binarize": self.binarize}

    @property
    def official_train(self) -> str:
        """The official training set: `train`, or `train+val` where we have taken `val` out of it."""
        return getattr(self.source, "official_train", "train")

    def images(self, split: str) -> ImageArray:
        """All uint8 images (N, C, H, W) of a split (train, val, test or train+val) as evaluation shows them.

        Where training draws black and white pixels for each batch, those are drawn once here.
        """
        self.setup()
        parts = {name: self._centre(self.splits[name].images) for name in split.split("+")}
        shown = [Drawn(part, name) if self.binarize == "dynamic" else part for name, part in parts.items()]
        return Joined(*shown) if len(shown) > 1 else shown[0]

    def _centre(self, images: ImageArray) -> ImageArray:
        return Cropped(images, self.size) if self.random_crop else images

    def fingerprint(self, split: str) -> str:
        """16 hexadecimal digits that tell the images of a split from any others."""
        if split not in self._fingerprints:
            self._fingerprints[split] = fingerprint(self.images(split))
        return self._fingerprints[split]

    def state_dict(self) -> dict[str, Any]:
        """What tells the images from any others: Lightning puts it into every checkpoint."""
        sizes = {name: len(part.images) for name, part in self.splits.items()}
        return {name: {"images": n, "fingerprint": self.fingerprint(name)} for name, n in sizes.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Raise a UsageError if the images are not those of a checkpoint; one of an earlier version knows of none."""
        self.setup()
        now = self.state_dict()
        if changed := [name for name, part in state_dict.items() if part != now[name]]:
            sizes = [f"{name} ({state_dict[name]['images']} then, {now[name]['images']} now)" for name in changed]
            raise UsageError(
                f"The images of {self.name} have changed since this run was started: {', '.join(sizes)}. Put them back "
                "as they were (data.root=PATH takes an equal copy), or start a new run, without resume."
            )

    def labels(self, split: str) -> Tensor:
        """Labels (N,) or (N, entries) of a split."""
        self.setup()
        return torch.cat([self.splits[name].labels for name in split.split("+")])

    def examples(self, split: str, n: int) -> Tensor:
        """At most `n` uint8 images from all over a split, always the same, as evaluation shows them."""
        return self.images(split)[self.example_rows(split, n)]

    def example_labels(self, split: str, n: int) -> Tensor:
        """The labels (n,) or (n, entries) of these images."""
        return self.labels(split)[self.example_rows(split, n)]

    def example_rows(self, split: str, n: int) -> Tensor:
        """Their row numbers (n,)."""
        n_images = len(self.images(split))
        n = min(n, n_images)
        return torch.arange(n) * n_images // n

    def train_dataloader(self) -> BatchLoader:
        """Shuffled, full batches.

        Raises:
            UsageError: if there are not enough images for one batch on each process, or to validate on each of them.
        """
        n, n_val = (len(self.splits[name].images) for name in ("train", "val"))
        world_size = self.trainer.world_size if self.trainer else 1
        if n < self.batch_size * world_size:
            raise UsageError(
                f"data.batch_size={self.batch_size} on {world_size} process(es) is more than the {n} training images "
                f"of {self.name}: type data.batch_size={max(1, n // world_size)} or less."
            )
        if n_val < world_size and self.trainer and self.trainer.limit_val_batches:
            raise UsageError(
                f"{world_size} processes share {n_val} validation image(s) of {self.name}, and each needs one: type "
                f"trainer.devices={n_val}, or give it more images."
            )
        return self._loader("train")

    def val_dataloader(self) -> BatchLoader:
        """Every validation image once."""
        return self._loader("val")

    def test_dataloader(self) -> BatchLoader:
        """Every test image once."""
        return self._loader("test")

    def _loader(self, name: str) -> BatchLoader:
        split, trainer = self.splits[name], self.trainer
        place = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        batches: TrainBatches | EvaluationBatches
        if name == "train":
            batches = TrainBatches(len(split.images), self.batch_size, self.seed, *place)
        else:
            split = split._replace(images=self._centre(split.images))
            batches = EvaluationBatches(len(split.images), self.batch_size, *place, split=SPLITS.index(name))
        device = trainer.strategy.root_device if trainer else torch.device("cpu")
        is_kept = False
        if name == "train" and self.keeps_on_device and (images := load_onto(split.images, device)) is not None:
            split, is_kept = Split(images, split.labels.to(device)), True
        return BatchLoader(split, batches, self.num_workers, pin=device.type == "cuda" and not is_kept)

    def transfer_batch_to_device(self, batch: RawBatch, device: torch.device, dataloader_idx: int) -> RawBatch:
        """Move the tensors. (Lightning would look for them in each field, which takes as long as a small layer.)"""
        return batch._replace(images=send(batch.images, device), labels=send(batch.labels, device))

    def on_after_batch_transfer(self, batch: RawBatch, dataloader_idx: int) -> tuple[Tensor, Tensor]:
        """Crop, flip, binarise, and convert to float32 in [-1, 1], on the device that the images are on by now."""
        x, generator = batch.images, Generator().manual_seed(batch.seed)
        if self.random_crop and batch.is_training:
            x = random_parts(x, self.size, generator)
        if self.flip and batch.is_training:
            flipped = torch.rand(len(x), 1, 1, 1, generator=generator) < 0.5
            x = torch.where(send(flipped, x.device), x.flip(-1), x)
        if self.binarize == "dynamic":
            x = binarized(x, generator)
        return to_float(x), batch.labels
