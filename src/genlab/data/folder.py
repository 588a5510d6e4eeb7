"""A person's own images: any tree of folders, or a .zip of one."""

import hashlib
import os
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from genlab.bounds import Share
from genlab.data.decode import UNLABELLED, Labelled, RawImages
from genlab.data.files import Files, find_files
from genlab.data.layout import Layout, read_layout
from genlab.data.prepared import PreparedSource


class Folder(PreparedSource):
    """All images below a folder, whatever their format, size and depth.

    `read_layout` says what its folders mean: splits, classes, or nothing. A split that is missing is chosen by a hash
    of the file names, so that an image stays in its split when others are added. An image without a class has the
    label -1.

    Args:
        root: the folder, or a .zip file.
        val_share, test_share: share of the images that a hash puts into the split.
        preparation: see `PreparedSource`.

    Raises:
        UsageError: for an impossible share; on use, if there is no such folder or nothing in it that can be used.
    """

    def __init__(self, root: str, val_share: Share = 0.1, test_share: Share = 0.1, **preparation: Any) -> None:
        super().__init__(**preparation)
        self.root = Path(root).expanduser()
        self.val_share, self.test_share = val_share, test_share
        self.name = Path(os.path.realpath(self.root)).stem  # which does not mind a loop of links

    @cached_property
    def files(self) -> Files:
        """The image files, listed once."""
        return find_files(self.root)

    @cached_property
    def layout(self) -> Layout:
        """What the folders mean."""
        return read_layout(self.files.names, self.root)

    def identity(self) -> dict[str, Any]:
        return {"val_share": self.val_share, "test_share": self.test_share}

    def versions(self) -> list[str]:
        with suppress(OSError):  # `files` says why it can't be read
            if not self.root.exists() or (self.root.is_dir() and not any(self.root.iterdir())):
                return []  # a disk that is not mounted is an empty folder
        return self.files.versions

    def notes(self) -> dict[str, Any]:
        return {"left_out": self.files.left_out, "split_folders": self.layout.folders, "parts": self.layout.parts}

    def raw(self) -> Mapping[str, RawImages]:
        """Return the files by split."""
        names, layout = self.files.names, self.layout
        numbers = {name: number for number, name in enumerate(sorted({name for name in layout.classes if name}))}
        items = Labelled(self.files, [numbers.get(name or "", UNLABELLED) for name in layout.classes])
        rows = split_rows(names, layout.splits, self.val_share, self.test_share)
        return {split: RawImages(items, chosen, list(numbers), names) for split, chosen in rows.items()}


def split_rows(
    names: list[str], official: list[str | None], val_share: float, test_share: float
) -> dict[str, np.ndarray]:
    """Choose the rows of each split: the official ones (None for all where there are none), or by a hash of the names.

    A split that is not official gets a share of the files, and one at least. No share for validation means that the
    test images validate.
    """
    parts = np.array([part or "train" for part in official])
    hashes = np.array([_uniform(name) for name in names])
    low = 0.0
    for split, wanted in (("test", test_share), ("val", val_share)):
        if split in parts or wanted == 0:
            continue
        free = np.flatnonzero((parts == "train") & (hashes >= low))
        free = free[np.argsort(hashes[free])]
        low += wanted
        parts[free[: max(1, (hashes[free] < low).sum())]] = split
    rows = {split: np.flatnonzero(parts == split) for split in ("train", "val", "test")}
    return rows if val_share > 0 or len(rows["val"]) else rows | {"val": rows["test"]}


def _uniform(name: str) -> float:
    """A number in [0, 1) that depends on the name alone, however a file system composes its accents."""
    text = unicodedata.normalize("NFC", name).encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) / 2**64
