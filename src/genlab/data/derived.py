"""Images that follow from those that are stored: splits joined, parts, and pixels drawn in black and white."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from genlab.data.arrays import fingerprint
from genlab.devices import send
from genlab.protocols import ImageArray
from genlab.sampling import row_noise


class Derived(ABC):
    """Uint8 images (N, C, H, W) that are computed out of others (`parts`) when they are asked for."""

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
        return self.compute(torch.arange(len(self))[rows] if isinstance(rows, slice) else rows)

    @abstractmethod
    def compute(self, rows: Tensor) -> Tensor:
        """Return the images (B, C, H, W) of row numbers (B,)."""


class Joined(Derived):
    """The images of several arrays, one after the other."""

    def __init__(self, *parts: ImageArray) -> None:
        super().__init__("joined", parts)

    def compute(self, rows: Tensor) -> Tensor:
        images, first = torch.empty((len(rows), *self.shape[1:]), dtype=torch.uint8), 0
        for part in self.parts:
            inside = (rows >= first) & (rows < first + len(part))
            images[inside] = part[rows[inside] - first]
            first += len(part)
        return images


class Drawn(Derived):
    """Black and white images: each pixel of grey ones is drawn once, white with a probability of its level / 255.

    `stream` is the name of the noise, such as that of the split.
    """

    def __init__(self, images: ImageArray, stream: str) -> None:
        super().__init__(f"drawn {stream}", [images])
        self.stream = stream

    def compute(self, rows: Tensor) -> Tensor:
        noise = row_noise(self.stream, rows.tolist(), tuple(self.shape[1:]))
        return (255 * noise < self.parts[0][rows]).to(torch.uint8) * 255


class Cropped(Derived):
    """The central `size` by `size` pixels of images, which evaluation shows where training cuts parts at random."""

    def __init__(self, images: ImageArray, size: int) -> None:
        super().__init__(f"cropped {size}", [images])
        self.size = size
        self.shape = torch.Size((*images.shape[:2], size, size))

    def compute(self, rows: Tensor) -> Tensor:
        return centre(self.parts[0][rows], self.size)


def centre(images: Tensor, size: int) -> Tensor:
    """The central part (..., size, size) of images (..., H, W); of an odd margin the smaller half is above and left."""
    top, left = ((side - size) // 2 for side in images.shape[-2:])
    return images[..., top : top + size, left : left + size]


def random_parts(images: Tensor, size: int, generator: Generator) -> Tensor:
    """Cut a part (B, C, size, size) out of each of the images (B, C, H, W), at a place of its own, drawn uniformly."""
    n, (height, width), device = len(images), images.shape[2:], images.device
    top, left = (torch.randint(side - size + 1, (n, 1), generator=generator) for side in (height, width))
    rows, columns = (send(start + torch.arange(size), device) for start in (top, left))
    places = (torch.arange(n, device=device)[:, None, None], slice(None), rows[:, :, None], columns[:, None, :])
    return images[places].permute(0, 3, 1, 2).contiguous()


def binarized(images: ImageArray, generator: Generator) -> Tensor:
    """Draw each pixel of uint8 images (N, C, H, W) as 255 with a probability of its level / 255, and as 0 otherwise."""
    parts = []
    for start in range(0, len(images), 1000):  # the noise takes four times the memory of the images
        part = images[start : start + 1000]
        noise = send(torch.rand(part.shape, generator=generator), part.device)
        parts.append((255 * noise < part).to(torch.uint8) * 255)
    return torch.cat(parts)
