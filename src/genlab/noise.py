"""Noise that belongs to the number of an image, so that it is the same however images are divided into batches."""

from collections.abc import Iterable
from zlib import crc32

import torch
from torch import Generator, Tensor


def row_noise(stream: str, rows: Iterable[int], shape: tuple[int, ...]) -> Tensor:
    """Draw from the uniform distribution on [0, 1): (B, *shape), for each row its own.

    Args:
        stream: other noise for each name.
        rows: B numbers.
        shape: of the noise of a row.
    """
    generator, noise = Generator(), [torch.empty(0, *shape)]
    for row in rows:  # PyTorch's generator takes 32 bits of a seed
        noise.append(torch.rand(1, *shape, generator=generator.manual_seed(crc32(f"{stream} {row}".encode()))))
    return torch.cat(noise)
