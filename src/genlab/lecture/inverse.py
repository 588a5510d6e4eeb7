"""The adjoint of a convolution is neither its inverse nor the dilated convolution."""

import pandas as pd
import torch
from torch import Tensor, nn

from genlab.data import Digits
from genlab.images import to_float
from genlab.lecture.claim import Claim, Evidence, Statement
from genlab.lecture.runs import Runs
from genlab.lecture.toeplitz import layers, matrix
from genlab.report.style import panels

SMOOTH = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64) / 4  # interpolates linearly
SIZE = 28
FAR = 0.1  # of the length of what is compared


class NotTheInverse(Claim):
    """Applies the adjoint, the pseudo-inverse and the dilated convolution to the same signal."""

    title = "The adjoint is not the inverse, nor the dilated convolution"
    sentence = (
        "The transposed convolution A* is no “deconvolution”: it does not give back what A was applied to. Nor is it "
        "the dilated convolution: both put zeros between entries, A* between those of the signal y, the dilated "
        "convolution between those of the filter."
    )
    experiment = (
        "A is the strided convolution of the encoder Φ with the smooth filter (1, 3, 3, 1)/4 in both directions, and "
        "x a digit. From y = Ax: the adjoint A*y, the pseudo-inverse A⁺y (with AA⁺ = I, as far as an inverse goes), "
        "and the convolution with the dilated filter over y with zeros between its pixels. Each is scaled to come as "
        "near as it can."
    )

    def measure(self, runs: Runs) -> Evidence:
        x = to_float(Digits()()["test"].images[:1]).double() + 1  # the background is 0
        down, up = layers(SMOOTH[:, None] * SMOOTH, SIZE)
        y = down(x)
        adjoint, dilated = up(y), dilate(down.weight, spread(y))
        inverse = (torch.linalg.pinv(matrix(down, SIZE)) @ y.flatten()).view_as(x)
        numbers = {
            "‖x − cA*y‖ / ‖x‖": distance(adjoint, x),
            "‖x − A⁺y‖ / ‖x‖": distance(inverse, x),
            "‖y − cAA*y‖ / ‖y‖": distance(down(adjoint), y),
            "‖y − AA⁺y‖ / ‖y‖": distance(down(inverse), y),
            "‖A*y − c·dilated‖ / ‖A*y‖": distance(dilated, adjoint),
        }
        from_x, best, from_y, exact, from_dilated = numbers.values()
        statements = [
            Statement("A*Ax is farther from x than a tenth of its length, and than A⁺Ax", from_x > max(FAR, best)),
            Statement(
                "A⁺ gives back a y that A* does not: AA⁺y = y, and AA*y is far from y", exact < 1e-9 < FAR < from_y
            ),
            Statement("the dilated convolution is far from A*y", from_dilated > FAR),
        ]
        shown = {"x": x, "y = Ax": y, "A*y": adjoint, "A⁺y": inverse, "dilated filter, same signal": dilated}
        figure, axes = panels(len(shown), 5, size=(2.2, 2.3))
        for axis, (title, image) in zip(axes, shown.items(), strict=True):
            axis.imshow(image[0, 0].numpy(), cmap="gray", interpolation="nearest")
            axis.set(title=title, xticks=[], yticks=[])
            axis.grid(False)
        caption = "Each picture has its own scale from black to white."
        return Evidence(figure, caption, pd.DataFrame(numbers.items(), columns=["distance", "value"]), statements, True)


def spread(y: Tensor) -> Tensor:
    """Put zeros between the pixels of images (B, 1, n, n): (B, 1, 2n, 2n)."""
    fine = y.new_zeros(*y.shape[:2], 2 * y.shape[2], 2 * y.shape[3])
    fine[:, :, ::2, ::2] = y
    return fine


def dilate(weight: Tensor, signal: Tensor) -> Tensor:
    """Convolve images (B, 1, n, n) with the filter (1, 1, 4, 4) at every other pixel: the same shape."""
    return nn.functional.conv2d(signal, weight, dilation=2, padding=3)


def distance(found: Tensor, wanted: Tensor) -> float:
    """min over c of ||wanted - c found|| / ||wanted||; 0 where one is a multiple of the other."""
    scale = (wanted * found).sum() / found.square().sum()
    return ((wanted - scale * found).norm() / wanted.norm()).item()
