"""Black-and-white images, for Bernoulli likelihoods."""

from typing import Literal

import torch
from torch import Generator, Tensor

from genlab.protocols import ImageArray

Binarization = Literal["dynamic", "fixed"]


def binarized(images: ImageArray, generator: Generator) -> Tensor:
    """Draw each pixel of uint8 images (N, C, H, W) as 255 with a probability of its level / 255, and as 0 otherwise."""
    parts = []
    for start in range(0, len(images), 1000):  # the noise takes four times the memory of the images
        part = images[start : start + 1000]
        noise = torch.rand(part.shape, generator=generator).to(part.device)
        parts.append((255 * noise < part).to(torch.uint8) * 255)
    return torch.cat(parts)
