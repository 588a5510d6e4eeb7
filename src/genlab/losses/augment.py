"""Differentiable augmentation: what D sees, real and fake alike, is changed at random, so that it can't learn by heart.

Randomness comes from a CPU generator, as everywhere: the same seed changes images in the same way on any device.
"""

from collections.abc import Mapping
from math import floor

import torch
from torch import Generator, Tensor

from genlab.bounds import Share
from genlab.devices import send
from genlab.protocols import Augmentation


class DiffAugment(Augmentation):
    """Apply all policies in turn (Zhao et al. 2020): G's gradients flow through them.

    To be used wherever D is called, in its step and in G's; augmented real images alone would leak into what G makes.
    Each call draws anew, as in the authors' code.

    Args:
        policies: augmentations by name; without any, images pass through unchanged.
    """

    def __init__(self, policies: Mapping[str, Augmentation] | None = None) -> None:
        self.policies = dict(policies or {})

    def __call__(self, images: Tensor, generator: Generator | None = None) -> Tensor:
        """Map images (B, C, H, W) in [-1, 1] to changed ones of the same shape, which may leave that range."""
        for policy in self.policies.values():
            images = policy(images, generator)
        return images


class Colour(Augmentation):
    """Random brightness, saturation and contrast, each drawn uniformly for each image, in this order.

    Args:
        brightness: the largest shift, in units of the image range [-1, 1]. Like the others from 0 to 1.
        saturation: distances from a pixel's grey are multiplied by 1 - saturation to 1 + saturation.
        contrast: distances from the image's mean are multiplied by 1 - contrast to 1 + contrast.
    """

    def __init__(self, brightness: Share = 0.5, saturation: Share = 1.0, contrast: Share = 0.5) -> None:
        self.brightness = brightness
        self.saturation = saturation
        self.contrast = contrast

    def __call__(self, images: Tensor, generator: Generator | None = None) -> Tensor:
        """Map images (B, C, H, W) in [-1, 1] to recoloured ones; values may leave [-1, 1]."""
        shift, saturation, contrast = (
            strength * send(2 * torch.rand(len(images), 1, 1, 1, generator=generator) - 1, images)
            for strength in (self.brightness, self.saturation, self.contrast)
        )
        images = images + shift
        grey = images.mean(1, keepdim=True)
        images = grey + (1 + saturation) * (images - grey)
        mean = images.mean((1, 2, 3), keepdim=True)
        return mean + (1 + contrast) * (images - mean)


class Translation(Augmentation):
    """Shift each image by a random number of pixels each way; what comes in is 0, mid-grey.

    Args:
        ratio: the largest shift, as a share of the side, in [0, 1]; in whole pixels, a half up: 4 of 28, 2 of 17.
    """

    def __init__(self, ratio: Share = 0.125) -> None:
        self.ratio = ratio

    def __call__(self, images: Tensor, generator: Generator | None = None) -> Tensor:
        """Map images (B, C, H, W) to shifted ones of the same shape."""
        for dim in (2, 3):
            side = images.shape[dim]
            largest = pixels(self.ratio, side)
            shift = torch.randint(-largest, largest + 1, (len(images), 1), generator=generator)
            source = send(along(torch.arange(side) - shift, dim), images.device)  # where each row or column comes from
            inside = (source >= 0) & (source < side)
            images = images.take_along_dim(source.clamp(0, side - 1), dim) * inside
        return images


class Cutout(Augmentation):
    """Set a rectangle of each image to 0, mid-grey. Its centre may lie anywhere, so parts of it may lie outside.

    Args:
        ratio: sides of the rectangle, as a share of the image's, in [0, 1]; in whole pixels, a half up: 9 of 17. A half
            hides between 1/16 and 1/4 of an image of even sides, 19% on average.
    """

    def __init__(self, ratio: Share = 0.5) -> None:
        self.ratio = ratio

    def __call__(self, images: Tensor, generator: Generator | None = None) -> Tensor:
        """Map images (B, C, H, W) to images of the same shape with a hole each."""
        hidden = []
        for dim in (2, 3):
            side = images.shape[dim]
            cut = pixels(self.ratio, side)
            # An even cut is centred on one of the side + 1 borders between pixels, an odd one on one of the pixels.
            centre = torch.randint(0, side + 1 - cut % 2, (len(images), 1), generator=generator)
            distance = torch.arange(side) - (centre - cut // 2)
            hidden.append(along((distance >= 0) & (distance < cut), dim))
        return images * send(~(hidden[0] & hidden[1]), images.device)


def pixels(ratio: float, side: int) -> int:
    """A share of a side in whole pixels, a half rounded up as in the authors' code."""
    return floor(ratio * side + 0.5)


def along(values: Tensor, dim: int) -> Tensor:
    """Shape (B, side) for products with images (B, C, H, W), along the height (dim 2) or the width (dim 3)."""
    return values[:, None, :, None] if dim == 2 else values[:, None, None, :]
