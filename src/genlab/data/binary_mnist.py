"""MNIST in black and white, as drawn once for all: what likelihoods of binary images are published for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genlab.data.decode import UNLABELLED, Labelled, RawImages
from genlab.data.files import versions
from genlab.data.prepared import PreparedSource
from genlab.errors import UsageError
from genlab.files import reason

HOME = "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/"
FILES = {
    "train": "binarized_mnist_train.amat",
    "val": "binarized_mnist_valid.amat",
    "test": "binarized_mnist_test.amat",
}


class BinaryMNIST(PreparedSource):
    """The binarised MNIST of Larochelle and Murray (2011): 50,000 digits train, 10,000 validate and 10,000 test.

    Its files, `binarized_mnist_train.amat` and so on, hold a row of 784 digits 0 or 1 for each image, and no labels.

    Args:
        root: where they are, or a folder that holds them in `binarized_mnist`.
        preparation: see `PreparedSource`.
    """

    name = "binary_mnist"

    def __init__(self, root: str, **preparation: Any) -> None:
        super().__init__(**preparation)
        self.root = Path(root).expanduser()

    def identity(self) -> dict[str, Any]:
        return {}  # the files say it all

    def versions(self) -> list[str]:
        found = [path for path in self._paths().values() if path]
        return versions(self.root, found) if len(found) == len(FILES) else []

    def raw(self) -> Mapping[str, RawImages]:
        """Return the three splits of the files.

        Raises:
            UsageError: if one is missing or can't be read.
        """
        return {split: _read(path) if path else self._refuse(split) for split, path in self._paths().items()}

    def _paths(self) -> dict[str, Path | None]:
        places = [self.root, self.root / "binarized_mnist"]
        candidates = {split: [place / name for place in places] for split, name in FILES.items()}
        return {split: next((path for path in paths if path.is_file()), None) for split, paths in candidates.items()}

    def _refuse(self, split: str) -> RawImages:
        raise UsageError(
            f"{FILES[split]} is not in {self.root}: put {', '.join(FILES.values())} from {HOME} into "
            f"{self.root / 'binarized_mnist'}, type where they are with data.root=PATH, or draw the pixels anew with "
            "data=mnist data.binarize=fixed."
        )


def _read(path: Path) -> RawImages:
    try:
        pixels = pd.read_csv(path, sep=r"\s+", header=None, dtype=np.uint8).to_numpy()
        if pixels.shape[1] != 784 or pixels.max() > 1:
            raise ValueError(f"its rows hold {pixels.shape[1]} numbers up to {pixels.max()}, not 784 digits 0 or 1")
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise UsageError(f"{path} can't be read ({reason(error)}): download it anew from {HOME}.") from error
    images = 255 * pixels.reshape(-1, 28, 28)
    return RawImages(Labelled(images, np.full(len(images), UNLABELLED)), np.arange(len(images)))
