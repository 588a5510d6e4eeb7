"""Fully connected networks: any shape to any shape."""

from itertools import pairwise
from math import prod
from typing import Annotated

from annotated_types import Interval
from torch import Tensor, nn

from genlab.bounds import PositiveInt
from genlab.networks.layers import DEEPEST, Activation, add_spectral_norm


class MLP(nn.Module):
    """A multilayer perceptron from `in_shape` to `out_shape`, so one class serves every role.

    Args:
        in_shape: shape of one input, such as (1, 28, 28) or (32,).
        out_shape: shape of one output.
        width: units of each hidden layer.
        depth: number of hidden layers.
        activation: makes the non-linearity after each hidden layer.
        output: makes the last non-linearity, such as Tanh for images; none if left out.
        spectral_norm: whether every weight is divided by its largest singular value.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        out_shape: tuple[int, ...],
        *,
        width: PositiveInt = 512,
        depth: Annotated[int, Interval(ge=0, le=DEEPEST)] = 2,
        activation: Activation = nn.ReLU,
        output: Activation = nn.Identity,
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        hidden_widths = [width] * depth
        widths = [prod(in_shape), *hidden_widths]
        hidden = [layer for i, o in pairwise(widths) for layer in (nn.Linear(i, o), activation())]
        self.layers = nn.Sequential(
            nn.Flatten(),
            *hidden,
            nn.Linear(widths[-1], prod(out_shape)),
            nn.Unflatten(1, out_shape),
            output(),
        )
        if spectral_norm:
            add_spectral_norm(self)

    def features(self, x: Tensor) -> Tensor:
        """Map (B, *in_shape) to the activations of the last hidden layer, (B, width)."""
        return self.layers[:-3](x)

    def head(self, features: Tensor) -> Tensor:
        """Map the last hidden layer's activations to (B, *out_shape)."""
        return self.layers[-3:](features)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, *in_shape) to (B, *out_shape): `head(features(x))`."""
        return self.layers(x)
