"""A strided convolution is a Toeplitz matrix with rows left out; its transposed convolution is the adjoint."""

from typing import Any

import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Generator, Tensor, nn

from genlab.lecture.claim import Claim, Evidence, Statement
from genlab.lecture.runs import Runs
from genlab.networks import ConvDown, ConvUp
from genlab.report.style import panels

SIZE = 8  # pixels a side, of which the convolution leaves half
ROUNDING = 1e-12  # relative to 1, in float64


class Toeplitz(Claim):
    """Compares the layers of our encoder and decoder with matrices that are written down entry by entry."""

    title = "Strided convolution, and its transpose"
    sentence = (
        "A convolution of stride 2 is a linear map A: its matrix is that of the convolution of stride 1, which is "
        "Toeplitz, with rows left out. The transposed convolution of stride 2 with the same filter is its adjoint A*: "
        "⟨Ax, y⟩ = ⟨x, A*y⟩ for all x and y."
    )
    experiment = (
        "The first layer of the convolutional encoder Φ and the last one of the decoder Ψ (filters of 4×4 pixels, "
        "stride 2, padding 1) are given the same random filter. Applied to all unit images of 8×8 pixels they give "
        "their matrices; the Toeplitz matrix is computed from the filter by its indices alone."
    )

    def measure(self, runs: Runs) -> Evidence:
        generator = Generator().manual_seed(0)
        down, up = layers(torch.randn(4, 4, generator=generator, dtype=torch.float64), SIZE)
        strided, transposed = matrix(down, SIZE), matrix(up, SIZE // 2)
        whole = toeplitz(down.weight[0, 0].detach(), SIZE)
        x, y = (torch.randn(100, 1, n, n, generator=generator, dtype=torch.float64) for n in (SIZE, SIZE // 2))
        left, right = inner(down(x), y), inner(x, up(y))
        kept = whole[kept_rows(SIZE)]
        numbers = {
            "largest difference of an entry, strided convolution and Toeplitz rows": largest(strided, kept),
            "largest difference of an entry, transposed convolution and transposed matrix": largest(transposed, kept.T),
            "largest |⟨Ax, y⟩ − ⟨x, A*y⟩| of 100 random pairs": largest(left, right),
            "mean |⟨Ax, y⟩| of these": left.abs().mean().item(),
        }
        by_rows, by_transpose, by_products, _ = numbers.values()
        statements = [
            Statement("the strided convolution equals the Toeplitz matrix without every other row", by_rows < ROUNDING),
            Statement("the transposed convolution equals the transpose of that matrix", by_transpose < ROUNDING),
            Statement("⟨Ax, y⟩ = ⟨x, A*y⟩ up to rounding", by_products < 100 * ROUNDING),
        ]
        figure = draw(whole, strided, transposed)
        caption = "Blue is positive, red negative; 64 columns for the pixels of an image, row by row."
        return Evidence(figure, caption, pd.DataFrame(numbers.items(), columns=["number", "value"]), statements)


def layers(filter: Tensor, size: int) -> tuple[Any, Any]:
    """The first layer of our encoder and the last of our decoder with one filter (4, 4), without biases, in float64."""
    down: Any = ConvDown((1, size, size), (1,), width=1).layers[0]
    up: Any = next(layer for layer in ConvUp((1,), (1, size, size), width=1).layers[::-1] if hasattr(layer, "weight"))
    for layer in (down, up):
        layer.double()
        layer.weight.data.copy_(filter)
        layer.bias.data.zero_()
        layer.requires_grad_(False)
    return down, up


def matrix(layer: nn.Module, size: int) -> Tensor:
    """The matrix (pixels of the result, size^2) of a linear map of images, column by column from unit images."""
    units = torch.eye(size * size, dtype=torch.float64).view(-1, 1, size, size)
    return layer(units).flatten(1).T


def toeplitz(filter: Tensor, size: int) -> Tensor:
    """The matrix (size^2, size^2) of the convolution of stride 1 with a filter (4, 4), one pixel of padding before.

    The entry for the pixels (i, j) of the result and (k, l) of the image is filter[k - i + 1, l - j + 1].
    """
    place = torch.arange(size)
    shift = place[None, :] - place[:, None] + 1  # k - i + 1
    inside = (shift >= 0) & (shift < len(filter))
    shift = shift.clamp(0, len(filter) - 1)
    entries = filter[shift[:, None, :, None], shift[None, :, None, :]]  # i, j, k, l
    return (entries * inside[:, None, :, None] * inside[None, :, None, :]).reshape(size * size, size * size)


def kept_rows(size: int) -> Tensor:
    """The rows of pixels (2i, 2j), which a stride of 2 keeps."""
    return torch.arange(size * size).view(size, size)[::2, ::2].flatten()


def inner(a: Tensor, b: Tensor) -> Tensor:
    """The inner products of images of two batches, (B,); NaN where their shapes differ."""
    return (a * b).flatten(1).sum(1) if a.shape == b.shape else torch.full((len(a),), torch.nan)


def largest(a: Tensor, b: Tensor) -> float:
    """The largest difference of an entry; infinite where the shapes differ."""
    return (a - b).abs().max().item() if a.shape == b.shape else torch.inf


def draw(whole: Tensor, strided: Tensor, transposed: Tensor) -> Figure:
    figure, axes = panels(3, size=(3.9, 3.6))
    titles = ("stride 1: Toeplitz in blocks", "stride 2: every other row of every other block", "transposed, stride 2")
    for axis, title, shown in zip(axes, titles, (whole, strided, transposed), strict=True):
        bound = shown.abs().max().item()
        axis.imshow(shown.numpy(), cmap="RdBu", vmin=-bound, vmax=bound, interpolation="nearest")
        axis.set(title=title, xticks=[], yticks=[])
        axis.grid(False)
    return figure
