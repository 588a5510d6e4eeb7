"""Arrays of images on disk: written part by part, read through a memory map."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genlab.files import atomic_write, flush
from genlab.protocols import ImageArray


class MappedImages:
    """Uint8 images (N, C, H, W) in an `.npy` file, read through a memory map whose pages all processes share.

    The fingerprint tells these images from any others.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        self.path, self.fingerprint = path, fingerprint
        self._array = np.load(path, mmap_mode="r").view(np.ndarray)
        self.shape = torch.Size(self._array.shape)

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        """Copy images (B, C, H, W) by a slice or by row numbers (B,)."""
        index = np.arange(len(self))[rows] if isinstance(rows, slice) else rows.numpy()
        return torch.from_numpy(np.take(self._array, index, axis=0))

    def __reduce__(self) -> tuple[Any, ...]:
        return MappedImages, (self.path, self.fingerprint)  # worker processes map the file themselves


def fingerprint(images: ImageArray) -> str:
    """16 hexadecimal digits that tell uint8 images (N, C, H, W) from any others."""
    digest = hashlib.sha256(str(tuple(images.shape)).encode())
    if known := getattr(images, "fingerprint", None):  # a large file need not be read for that
        digest.update(known.encode())
    else:
        digest.update(images[:].contiguous().numpy().data)
    return digest.hexdigest()[:16]


def write_array(path: Path, array: np.ndarray, shared: bool = False) -> None:
    """Write an `.npy` file atomically; `shared` as in `atomic_write`."""
    with atomic_write(path, shared) as unfinished, unfinished.open("wb") as file:
        np.save(file, array)


class ImageWriter:
    """Writes an `.npy` file of uint8 images (N, C, H, W) part by part, N being known at the end alone.

    Written and not mapped: on a full disk a write raises an error, a store into a map kills the process.
    `digest` is the SHA-256 of the images written so far.
    """

    def __init__(self, path: Path, image_shape: tuple[int, int, int]) -> None:
        self.n, self.image_shape, self.digest = 0, image_shape, hashlib.sha256()
        self._path, self._file = path, path.open("wb")
        self._write_header()

    def append(self, images: np.ndarray) -> None:
        """Add images (B, C, H, W)."""
        content = np.ascontiguousarray(images).data
        self._file.write(content)
        self.digest.update(content)
        self.n += len(images)

    def __enter__(self) -> "ImageWriter":
        return self

    def __exit__(self, *_: object) -> None:
        """Write the final count into the header, for which NumPy leaves room, and flush the file to the disk."""
        with self._file:
            self._file.seek(0)
            self._write_header()
        flush(self._path)

    def _write_header(self) -> None:
        header = {"descr": "|u1", "fortran_order": False, "shape": (self.n, *self.image_shape)}
        np.lib.format.write_array_header_1_0(self._file, header)
