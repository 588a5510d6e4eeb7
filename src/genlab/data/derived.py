"""Images that follow from those that are stored."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from genlab.data.arrays import fingerprint
from genlab.protocols import ImageArray
from genlab.sampling import row_noise


class Derived:
    """Uint8 images (N, C, H, W) that are worked out when they are asked for.

    Args:
        name: what is done to the others.
        parts: they.
    """

    def __init__(self, name: str, parts: Sequence[ImageArray]) -> None:
        self.name, self.parts = name, parts
        self.shape = torch.Size((sum(map(len, parts)), *parts[0].shape[1:]))

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def fingerprint(self) -> str:
        """Tells these images from any others; large arrays are not read for that."""
        return hashlib.sha256(" ".join([self.name, *map(fingerprint, self.parts)]).encode()).hexdigest()

    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        """Images (B, C, H, W), by a slice or by row numbers (B,)."""
        return self._images(torch.arange(len(self))[rows] if isinstance(rows, slice) else rows)

    def _images(self, rows: Tensor) -> Tensor:
        raise NotImplementedError


class Joined(Derived):
    """The images of several arrays, one after the other."""

    def __init__(self, *parts: ImageArray) -> None:
        super().__init__("joined", parts)

    def _images(self, rows: Tensor) -> Tensor:
        images, first = torch.empty((len(rows), *self.shape[1:]), dtype=torch.uint8), 0
        for part in self.parts:
            mine = (rows >= first) & (rows < first + len(part))
            images[mine] = part[rows[mine] - first]
            first += len(part)
        return images


class Drawn(Derived):
    """Black and white images, each pixel drawn once and for all with its grey level / 255 as the probability of white.

    Args:
        images: the grey ones.
        stream: other noise for each name, such as that of a split.
    """

    def __init__(self, images: ImageArray, stream: str) -> None:
        super().__init__(f"drawn {stream}", [images])
        self.stream = stream

    def _images(self, rows: Tensor) -> Tensor:
        noise = row_noise(self.stream, rows.tolist(), tuple(self.shape[1:]))
        return (255 * noise < self.parts[0][rows]).to(torch.uint8) * 255
