"""The only conversions of images: [-1, 1] <-> uint8, channels, size, grids. One path for real and fake alike."""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as TF
from torchvision.utils import make_grid, save_image

from genlab.files import atomic_write


def to_float(images: Tensor) -> Tensor:
    """Map uint8 images in [0, 255] to float32 in [-1, 1], any shape, on their device."""
    return images.to(torch.float32).div_(127.5).sub_(1.0)


def to_uint8(images: Tensor) -> Tensor:
    """Map float images in [-1, 1] to uint8, rounding to the nearest grey level and clamping what lies outside.

    The exact inverse of `to_float` on all 256 levels. (Truncation would put 63 of them one level lower.)
    """
    return images.float().add(1.0).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def with_channels(images: Tensor, channels: int) -> Tensor:
    """Give images (N, C, H, W) 1 or 3 channels: grey is repeated, colour becomes ITU-R 601 luma."""
    if images.shape[1] == channels:
        return images
    return TF.rgb_to_grayscale(images, num_output_channels=channels) if channels == 1 else grey_to_rgb(images)


def grey_to_rgb(images: Tensor) -> Tensor:
    """Repeat the one channel of grey images (N, 1, H, W) three times; colour images pass through."""
    return images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images


def resized(images: Tensor, size: int) -> Tensor:
    """Resize uint8 images (N, C, H, W) to (N, C, size, size), bilinear with antialiasing."""
    if images.shape[-2:] == (size, size):
        return images
    smooth = F.interpolate(images.float(), (size, size), mode="bilinear", antialias=True)
    return smooth.round().clamp(0, 255).to(torch.uint8)


def grid(images: Tensor, n_columns: int) -> Tensor:
    """Lay float images (N, C, H, W) in [-1, 1] out row by row: one image (3, H', W') in [0, 1], 2 px padding."""
    levels = to_uint8(grey_to_rgb(images.detach().cpu()))
    return make_grid(levels.float() / 255, nrow=n_columns, padding=2, pad_value=0.5)


def save_picture(picture: Tensor, path: Path) -> None:
    """Write a picture (3, H, W) in [0, 1], in the format of its ending; small ones enlarged by a whole factor."""
    factor = max(1, 512 // max(picture.shape[-2:]))
    kind = Image.registered_extensions()[path.suffix.lower()]
    with atomic_write(path) as file:
        save_image(picture.repeat_interleave(factor, -2).repeat_interleave(factor, -1), file, format=kind)


def above(x: Tensor, x_hat: Tensor, n_columns: int) -> Tensor:
    """Order images (N, C, H, W) and reconstructions so that each stands above its own; whole rows alone are kept."""
    n = len(x) // n_columns * n_columns or len(x)
    rows = zip(x[:n].split(n_columns), x_hat[:n].split(n_columns), strict=True)
    return torch.cat([row for pair in rows for row in pair])
