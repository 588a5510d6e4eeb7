"""Fully connected networks: any shape to any shape."""

from collections.abc import Callable
from itertools import pairwise
from math import prod

from torch import Tensor, nn


class MLP(nn.Module):
    """A multilayer perceptron from `in_shape` to `out_shape`, so one class serves every role.

    Args:
        in_shape: shape of one input, such as (1, 28, 28) or (32,).
        out_shape: shape of one output.
        width: units of each hidden layer.
        depth: number of hidden layers.
        activation: makes the non-linearity after each hidden layer.
        output: makes the last non-linearity, such as Tanh for images; none if left out.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        out_shape: tuple[int, ...],
        *,
        width: int = 512,
        depth: int = 2,
        activation: Callable[[], nn.Module] = nn.ReLU,
        output: Callable[[], nn.Module] = nn.Identity,
    ) -> None:
        super().__init__()
        widths = [prod(in_shape), *[width] * depth]
        hidden = [layer for i, o in pairwise(widths) for layer in (nn.Linear(i, o), activation())]
        self.layers = nn.Sequential(
            nn.Flatten(),
            *hidden,
            nn.Linear(widths[-1], prod(out_shape)),
            nn.Unflatten(1, out_shape),
            output(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, *in_shape) to (B, *out_shape)."""
        return self.layers(x)
