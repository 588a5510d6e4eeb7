"""Data sets that torchvision knows: it downloads and verifies them, by a YAML file each."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torchvision.datasets import MNIST, VisionDataset

from genlab.bounds import Share
from genlab.data.decode import RawImages
from genlab.data.files import versions
from genlab.data.prepared import PreparedSource, held_out
from genlab.errors import UsageError


class Torchvision(PreparedSource):
    """A data set of `torchvision.datasets` with an official training and test split.

    Args:
        root: where its files are, in torchvision's layout, or are downloaded to.
        train, test: make the two splits, given `root` and `download`.
        val_share: share of the training images that validate instead; 0: the test images validate, and the training
            split is complete, as most GAN papers have it.
        preparation: see `PreparedSource`.
    """

    def __init__(
        self,
        root: str,
        train: Callable[..., VisionDataset],
        test: Callable[..., VisionDataset],
        val_share: Share = 0.1,
        **preparation: Any,
    ) -> None:
        super().__init__(**preparation)
        self.root, self.train, self.test = Path(root).expanduser(), train, test
        self.val_share = val_share
        self.official_train = "train+val" if self.val_share else "train"
        self.name = train.func.__name__.lower()  # type: ignore[attr-defined]

    def identity(self) -> dict[str, Any]:
        """The two splits and where they come from."""
        return {
            "root": str(self.root),
            "val_share": self.val_share,
            "train": _described(self.train),
            "test": _described(self.test),
        }

    def versions(self) -> list[str]:
        """Name, size and age of each file in its own folder; none if the root is shared with what is prepared."""
        folder = self.root / _own_folder(self.train.func)  # type: ignore[attr-defined]
        is_shared = self.cache_dir.absolute().is_relative_to(folder.absolute())
        return [] if is_shared else versions(folder, folder.rglob("*"))

    def raw(self) -> Mapping[str, RawImages]:
        """Download what is missing and return the splits."""
        train, test = (self._loaded(part) for part in (self.train, self.test))
        trains, validates = held_out(len(train), self.val_share)
        names = [str(name) for name in getattr(train, "classes", ())]
        tests = RawImages(test, np.arange(len(test)), names)
        return {
            "train": RawImages(train, trains, names),
            "val": RawImages(train, validates, names) if len(validates) else tests,
            "test": tests,
        }

    def _loaded(self, part: Callable[..., Any]) -> Any:
        try:
            return part(root=str(self.root), download=True)
        except (OSError, RuntimeError) as error:
            raise UsageError(
                f"{self.name} is not complete in {self.root} and can't be downloaded "
                f"({' '.join(str(error).split())}): prepare it where there is a network, with src/prepare.py, or type "
                "where its files are with data.root=PATH."
            ) from error


def _own_folder(data_set: type) -> str:
    """The folder below the root that torchvision's classes for several data sets have for themselves."""
    return data_set.__name__ if issubclass(data_set, MNIST) else getattr(data_set, "base_folder", "")


def _described(part: Any) -> str:
    return f"{part.func.__name__} {part.keywords}"
