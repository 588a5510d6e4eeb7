"""All layers of a small network of each kind, in their order, as its description says.

A convolution is written as its channels, its kernel, what differs from a stride of 1, no padding and one group, and
"bare" without a bias: `3>4 k4 s2 p1`.
"""

import pytest
from torch import nn

from genlab.networks import MLP, ConvDown, ConvUp, PoolingDown, PoolingUp, R3Down, R3Up, ResNetDown, ResNetUp

NORM = {"norm": nn.BatchNorm2d}


def written(layer: nn.Module) -> str:
    match layer:
        case nn.Conv2d() | nn.ConvTranspose2d():
            k, s, p = layer.kernel_size, layer.stride[0], layer.padding[0]
            parts = [f"{layer.in_channels}>{layer.out_channels}", f"k{k[0]}" if k[0] == k[1] else f"k{k[0]}x{k[1]}"]
            parts += [f"s{s}"] * (s > 1) + [f"p{p}"] * (p > 0) + [f"g{layer.groups}"] * (layer.groups > 1)
            parts += [f"odd{layer.output_padding}"] * (max(layer.output_padding) > 0)
            return " ".join(parts + ["bare"] * (layer.bias is None))
        case nn.Linear():
            return f"{layer.in_features}>{layer.out_features}" + " bare" * (layer.bias is None)
        case nn.BatchNorm2d():
            return "norm"
        case nn.Upsample():
            return f"up{layer.size}"
    return {"Flatten": "", "Unflatten": "", "Sequential": "same"}.get(
        type(layer).__name__, type(layer).__name__.lower()
    )


def layers(network: nn.Module) -> list[str]:
    return [text for layer in network.modules() if not list(layer.children()) and (text := written(layer))]


def block(first: str, second: str, *shortcut: str) -> list[str]:
    return ["norm", "relu", first, "norm", "relu", second, *shortcut]


def bottleneck(channels: int) -> list[str]:
    """R3GAN's, twice as wide within, in groups of four."""
    inner = 2 * channels
    grouped = f"{inner}>{inner} k3 p1 g{inner // 4} bare"
    relu = "biasedleakyrelu"
    return [f"{channels}>{inner} k1 bare", relu, grouped, relu, f"{inner}>{channels} k1 bare"]


# Halvings of 33x16 pixels to 16x8 and 8x4; widths 4 and then 6, where doubling ends.
SHAPE = (3, 33, 16)
WIDTHS = {"width": 4, "max_width": 6}
ARCHITECTURES = {
    "mlp": (MLP(SHAPE, (2, 3), width=7, depth=2), ["1584>7", "relu", "7>7", "relu", "7>6", "identity"]),
    "conv down": (
        ConvDown(SHAPE, (2,), **WIDTHS, **NORM),
        ["3>4 k4 s2 p1", "relu", "4>6 k4 s2 p1 bare", "norm", "relu", "192>2"],
    ),
    "conv up": (
        ConvUp((5,), SHAPE, **WIDTHS, **NORM),
        ["5>192", "norm", "relu", "6>4 k4 s2 p1", "norm", "relu", "4>3 k4 s2 p1 odd(1, 0)", "tanh"],
    ),
    "conv up without norm": (
        ConvUp((5,), SHAPE, **WIDTHS),
        ["5>192", "relu", "6>4 k4 s2 p1", "relu", "4>3 k4 s2 p1 odd(1, 0)", "tanh"],
    ),
    "pooling down": (
        PoolingDown(SHAPE, (2,), **WIDTHS, **NORM),
        ["3>4 k3 p1", "relu", "4>6 k3 p1 bare", "norm", "relu", "maxpooling", "192>2"],
    ),
    "pooling up": (
        PoolingUp((5,), SHAPE, **WIDTHS, **NORM),
        ["5>192", "norm", "relu", "norm", "relu", "6>4 k3 p1", "4>3 k3 p1", "maxunpooling", "tanh"],
    ),
    # Two stages that halve and one that keeps: the first block starts on the image, and the last of a stage halves.
    "resnet down": (
        ResNetDown((3, 17, 16), (2,), depth=2, **WIDTHS, **NORM),
        [
            *("3>4 k3 p1", "norm", "relu", "4>4 k3 p1", "3>4 k1"),
            *block("4>4 k3 p1", "4>4 k3 p1", "avgpool2d", "4>4 k1"),
            *block("4>4 k3 p1", "4>6 k3 p1", "4>6 k1"),
            *block("6>6 k3 p1", "6>6 k3 p1", "avgpool2d", "6>6 k1"),
            *block("6>6 k3 p1", "6>6 k3 p1", "same"),
            *block("6>6 k3 p1", "6>6 k3 p1", "same"),
            *("norm", "relu", "sumpool", "6>2"),
        ],
    ),
    # From 4x4 pixels to 8x8 and 17x16: the first block of a size enlarges.
    "resnet up": (
        ResNetUp((5,), (3, 17, 16), depth=2, **WIDTHS, **NORM),
        [
            "5>96",
            *("norm", "relu", "up(8, 8)", "6>6 k3 p1", "norm", "relu", "6>6 k3 p1", "6>6 k1"),
            *block("6>6 k3 p1", "6>6 k3 p1", "same"),
            *("norm", "relu", "up(17, 16)", "6>4 k3 p1", "norm", "relu", "4>4 k3 p1", "6>4 k1"),
            *block("4>4 k3 p1", "4>4 k3 p1", "same"),
            *("norm", "relu", "4>3 k3 p1", "tanh"),
        ],
    ),
    # Residual blocks at the image's own size, 16x8 and 8x4; equal widths need no projection.
    "r3 down": (
        R3Down(SHAPE, (2,), width=8, max_width=12, depth=2, group_size=4),
        [
            *("3>8 k1 bare", *bottleneck(8), *bottleneck(8)),
            *("bilineardown", "8>12 k1 bare", *bottleneck(12), *bottleneck(12)),
            *("bilineardown", *bottleneck(12), *bottleneck(12)),
            *("12>12 k8x4 g12 bare", "12>2 bare"),
        ],
    ),
    "r3 up": (
        R3Up((5,), SHAPE, width=8, max_width=12, depth=2, group_size=4),
        [
            *("5>12 bare", *bottleneck(12), *bottleneck(12)),
            *("bilinearup", *bottleneck(12), *bottleneck(12)),
            *("12>8 k1 bare", "bilinearup", *bottleneck(8), *bottleneck(8)),
            *("8>3 k1 bare", "tanh"),
        ],
    ),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_layers_are_those_of_the_description(name):
    network, expected = ARCHITECTURES[name]
    assert layers(network) == expected
