"""Random transforms of places and colours of images as matrices, with probabilities (Karras et al. 2020, appendix B).

All is drawn on the CPU by a generator, one value an image, in an order that does not depend on what comes out.
"""

from math import log, pi, sqrt

import torch
from torch import Generator, Tensor

from genlab.devices import send

SCALING = 0.2 * log(2)  # standard deviation of the logarithm of a factor: of sizes,
CONTRAST, SATURATION = 0.5 * log(2), log(2)  # of contrast and of saturation
BRIGHTNESS, SHIFT = 0.2, 0.125  # in units of the image range [-1, 1], and of the side


class Draws:
    """Random values for n images, which are those of no change with the probability 1 - p."""

    def __init__(self, n: int, generator: Generator | None) -> None:
        self.n, self.generator = n, generator

    def _kept(self, values: Tensor, p: float) -> Tensor:
        return values * (torch.rand(self.n, generator=self.generator) < p)

    def choice(self, n_values: int, p: float) -> Tensor:
        """0, ..., n_values - 1, as floats (n,); 0 for no change."""
        return self._kept(torch.randint(n_values, (self.n,), generator=self.generator).float(), p)

    def uniform(self, limit: float, p: float, *pair: int) -> Tensor:
        """From -limit to limit, (n,), or (2, n) for a pair that changes together; 0 for no change."""
        return self._kept(limit * (2 * torch.rand(*pair, self.n, generator=self.generator) - 1), p)

    def normal(self, std: float, p: float, *pair: int) -> Tensor:
        """From N(0, std^2), (n,), or (2, n) for a pair that changes together; 0 for no change."""
        return self._kept(std * torch.randn(*pair, self.n, generator=self.generator), p)


def blits(draws: Draws, size: tuple[int, int], p: float) -> Tensor:
    """Mirror images, quarter turns and shifts by whole pixels: matrices (n, 3, 3) from new to old places."""
    mirror, turns = 1 - 2 * draws.choice(2, p), pi / 2 * draws.choice(4, p)
    dy, dx = (torch.tensor(size)[:, None] * draws.uniform(SHIFT, p, 2)).round()
    return _scaled(mirror, torch.ones(draws.n)) @ _turned(turns) @ _shifted(dx, dy)


def geometry(draws: Draws, size: tuple[int, int], p: float) -> Tensor:
    """Sizes, turns before and after stretching, and shifts: matrices (n, 3, 3) from new to old places."""
    p_turn = 1 - sqrt(1 - p)  # of each, so that p is the probability of either
    size_factor = draws.normal(SCALING, p).exp()
    before, stretch, after = draws.uniform(pi, p_turn), draws.normal(SCALING, p).exp(), draws.uniform(pi, p_turn)
    dy, dx = torch.tensor(size)[:, None] * draws.normal(SHIFT, p, 2)
    scaled = _scaled(1 / size_factor, 1 / size_factor) @ _turned(before)
    return scaled @ _scaled(1 / stretch, stretch) @ _turned(after) @ _shifted(dx, dy)


def colours(draws: Draws, p: float) -> Tensor:
    """Brightness, contrast, luma flip, hue and saturation: matrices (n, 4, 4) from old to new (red, green, blue, 1)."""
    unit, luma = torch.eye(4), torch.tensor([1.0, 1.0, 1.0, 0.0]) / sqrt(3)
    along = torch.outer(luma, luma)
    across = torch.diag(torch.tensor([1.0, 1.0, 1.0, 0.0])) - along
    cross = torch.zeros(4, 4)
    cross[:3, :3] = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / sqrt(3)
    brighter = unit.repeat(draws.n, 1, 1)
    brighter[:, :3, 3] = draws.normal(BRIGHTNESS, p)[:, None]
    contrast, flip, hue, saturation = (
        value[:, None, None]
        for value in (
            draws.normal(CONTRAST, p).exp(),
            draws.choice(2, p),
            draws.uniform(pi, p),
            draws.normal(SATURATION, p).exp(),
        )
    )
    last = unit - along - across  # of the constant 1
    matrix = ((along + across) * contrast + last) @ brighter
    matrix = (unit - 2 * along * flip) @ matrix
    matrix = (along + across * hue.cos() + cross * hue.sin() + last) @ matrix
    return (along + across * saturation + last) @ matrix


def recoloured(images: Tensor, matrices: Tensor) -> Tensor:
    """Apply matrices (B, 4, 4) of `colours` to images (B, C, H, W); a grey one gets the mean of the three colours."""
    matrices = send(matrices, images)
    if images.shape[1] == 1:
        matrices = matrices[:, :3].mean(1, keepdim=True)
        matrices = torch.cat([matrices[:, :, :3].sum(2, keepdim=True), matrices[:, :, 3:]], dim=2)
    else:
        matrices = matrices[:, :3]
    changed = matrices[:, :, :-1] @ images.flatten(2) + matrices[:, :, -1:]
    return changed.view_as(images)


def moved(images: Tensor, matrices: Tensor) -> Tensor:
    """Sample images (B, C, H, W) at the places that matrices (B, 3, 3) say, bilinearly, mirrored beyond the border.

    Places are in pixels from the centre. It consists of gathers, as `grid_sample` has no second derivative, which
    penalties on D's gradient need. The source samples at twice the size, between filters of a wavelet.
    """
    _, n_channels, height, width = images.shape
    y, x = torch.meshgrid(torch.arange(height) - (height - 1) / 2, torch.arange(width) - (width - 1) / 2, indexing="ij")
    places = torch.stack([x, y, torch.ones_like(x)]).flatten(1)  # (3, H W)
    old_x, old_y = (matrices[:, :2] @ places).unbind(1)
    columns, column_shares = _neighbours(old_x + (width - 1) / 2, width)
    rows, row_shares = _neighbours(old_y + (height - 1) / 2, height)
    flat = images.flatten(2)
    total = torch.zeros_like(flat)
    for row, row_share in zip(rows, row_shares, strict=True):
        for column, column_share in zip(columns, column_shares, strict=True):
            index = send(row * width + column, images.device)[:, None].expand(-1, n_channels, -1)
            total = total + send(row_share * column_share, images)[:, None] * flat.gather(2, index)
    return total.view_as(images)


def _neighbours(places: Tensor, side: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The two pixels beside each place, and their shares in it; both (B, places)."""
    places = places.abs() % (2 * (side - 1))
    places = torch.where(places > side - 1, 2 * (side - 1) - places, places)
    first = places.floor().long().clamp(0, side - 1)
    share = places - first
    return (first, (first + 1).clamp(max=side - 1)), (1 - share, share)


def _matrix(rows: list[list[Tensor]]) -> Tensor:
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def _scaled(x: Tensor, y: Tensor) -> Tensor:
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return _matrix([[x, zero, zero], [zero, y, zero], [zero, zero, one]])


def _turned(angle: Tensor) -> Tensor:
    zero, one, c, s = torch.zeros_like(angle), torch.ones_like(angle), angle.cos(), angle.sin()
    return _matrix([[c, -s, zero], [s, c, zero], [zero, zero, one]])


def _shifted(dx: Tensor, dy: Tensor) -> Tensor:
    zero, one = torch.zeros_like(dx), torch.ones_like(dx)
    return _matrix([[one, zero, -dx], [zero, one, -dy], [zero, zero, one]])
