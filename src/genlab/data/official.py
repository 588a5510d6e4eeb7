"""Data sets that torchvision knows: it downloads and verifies them, by a YAML file each."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torchvision.datasets import VisionDataset

from genlab.bounds import Share
from genlab.data.decode import RawImages
from genlab.data.prepared import PreparedSource, held_out
from genlab.errors import UsageError
from genlab.files import reason


class Torchvision(PreparedSource):
    """A data set of `torchvision.datasets` with an official training and test split, whose files never change.

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
        parts: dict[str, Any] = {"train": self.train, "test": self.test}
        described = {name: f"{part.func.__name__} {part.keywords}" for name, part in parts.items()}
        return {"root": str(self.root), "val_share": self.val_share, **described}

    def raw(self) -> Mapping[str, RawImages]:
        """Download what is missing and return the splits."""
        train, test = (self._loaded(part) for part in (self.train, self.test))
        names = [str(name) for name in getattr(train, "classes", ())]
        first, second = (RawImages(train, rows, names) for rows in held_out(len(train), self.val_share))
        tests = RawImages(test, np.arange(len(test)), names)
        return {"train": first, "val": second if len(second) else tests, "test": tests}

    def _loaded(self, part: Callable[..., Any]) -> Any:
        try:
            return part(root=str(self.root), download=True)
        except (OSError, RuntimeError) as error:
            raise UsageError(
                f"{self.name} is not complete in {self.root} and can't be downloaded "
                f"({reason(error)}): prepare it where there is a network, with src/prepare.py, or type "
                "where its files are with data.root=PATH."
            ) from error
