"""Synthetic images drawn from known factors."""

from typing import ClassVar

import torch
from torch import Tensor

from genlab.bounds import AtLeastTen
from genlab.protocols import Source, Split

FACTORS = ("shape", "colour", "size", "rotation", "x", "y")
SHAPES = ("square", "triangle", "ellipse")
HUES = ("red", "yellow", "green", "cyan", "blue", "magenta")  # of COLOURS
COLOURS = torch.tensor(  # RGB, one hue each sixth of the circle, bright enough to tell from black in grey as well
    [[230, 60, 60], [230, 210, 60], [70, 210, 90], [70, 210, 220], [100, 120, 240], [220, 90, 220]]
)
LUMA = torch.tensor([0.299, 0.587, 0.114])  # ITU-R 601


class Shapes(Source):
    """One square, triangle or ellipse an image, on black, with smooth edges.

    The label of an image is its six factors: shape (0 to 2), colour (0 to 5), size (half the extent as a share of the
    image, 0.15 to 0.35), rotation (radians, 0 to 2 pi), x and y of the centre (share of the image, 0.3 to 0.7).

    Args:
        n_images: how many, of which 80% train, 10% val and 10% test.
        seed: the same seed gives the same images.
    """

    label_names = FACTORS
    class_names: ClassVar[dict[str, tuple[str, ...]]] = {"shape": SHAPES, "colour": HUES}

    def __init__(self, n_images: AtLeastTen = 5000, seed: int = 0) -> None:
        self.n_images = n_images
        self.seed = seed

    def __call__(self, size: int, channels: int, limit: int | None = None) -> dict[str, Split]:
        """Return the splits as uint8 images (N, channels, size, size) with labels (N, 6): `FACTORS`.

        A limit takes the first images of each split.
        """
        factors = draw_factors(self.n_images, torch.Generator().manual_seed(self.seed))
        images = torch.cat([render(part, size, channels) for part in factors.split(500)])
        n_held_out = self.n_images // 10
        parts = [self.n_images - 2 * n_held_out, n_held_out, n_held_out]
        return {
            name: Split(x[:limit], y[:limit])
            for name, x, y in zip(("train", "val", "test"), images.split(parts), factors.split(parts), strict=True)
        }


def draw_factors(n: int, generator: torch.Generator) -> Tensor:
    """Draw n rows of `FACTORS` (n, 6), each factor uniform and independent of the others."""
    uniform = torch.rand(n, len(FACTORS), generator=generator)
    n_levels = torch.tensor([len(SHAPES), len(COLOURS)])
    low = torch.tensor([0.15, 0.0, 0.3, 0.3])
    high = torch.tensor([0.35, 2 * torch.pi, 0.7, 0.7])
    return torch.cat([(uniform[:, :2] * n_levels).floor(), low + uniform[:, 2:] * (high - low)], dim=1)


def render(factors: Tensor, size: int, channels: int) -> Tensor:
    """Draw factors (N, 6) as uint8 images (N, channels, size, size).

    A pixel is covered by as much as its centre lies inside of the outline, over a band of one pixel.
    """
    shape, colour, radius, rotation, cx, cy = (column[:, None, None] for column in factors.T)
    axis = (torch.arange(size) + 0.5) / size
    dx, dy = axis[None, None, :] - cx, axis[None, :, None] - cy
    cos, sin = rotation.cos(), rotation.sin()
    u, v = (cos * dx + sin * dy) / radius, (cos * dy - sin * dx) / radius  # the shape's own frame, unit radius
    outside = torch.stack(  # signed distance to each outline, in radii (for the ellipse a first-order one)
        [
            torch.maximum(u.abs(), v.abs()) - 0.8,
            torch.maximum(-v - 0.5, 0.75**0.5 * u.abs() + 0.5 * v - 0.5),
            ((u**2 + (2 * v) ** 2).sqrt() - 1.0) / 2,
        ],
        dim=1,
    )
    chosen = outside.gather(1, shape.long()[:, None].expand(-1, 1, size, size)).squeeze(1)
    cover = (0.5 - chosen * radius * size).clamp(0, 1)
    rgb = COLOURS[colour.long().flatten()].float()
    levels = rgb if channels == 3 else (rgb @ LUMA)[:, None]
    return (cover[:, None] * levels[:, :, None, None]).round().to(torch.uint8)
