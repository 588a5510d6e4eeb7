"""How weights are drawn at first: the spread of each layer, by hand."""

from functools import partial
from math import prod, sqrt

import pytest
import torch
from torch import nn

from genlab.networks import ConvDown, ConvUp, PoolingDown, PoolingUp, R3Down, R3Up, ResNetDown, ResNetUp
from genlab.networks.r3_blocks import BilinearDown, DiscriminativeBasis, GenerativeBasis, plain_conv, scaled_linear

SHAPE = (3, 16, 16)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def weighted(network: nn.Module) -> list[nn.Module]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]


def spread(weight: torch.Tensor) -> float:
    assert abs(weight.mean()) < 4 * weight.std() / sqrt(weight.numel())  # four standard errors
    return weight.std().item()


@pytest.mark.parametrize(
    ("network", "shapes"),
    [
        (ConvDown, (SHAPE, (64,))),
        (ConvUp, ((64,), SHAPE)),
        (PoolingDown, (SHAPE, (64,))),
        (PoolingUp, ((64,), SHAPE)),
    ],
)
def test_init_std_is_the_spread_of_all_weights_and_biases_are_zero(network, shapes):
    layers = weighted(network(*shapes, width=32, init_std=0.03))
    assert len(layers) == 3
    for layer in layers:
        assert spread(layer.weight) == pytest.approx(0.03, rel=0.06)
        assert layer.bias.abs().max() == 0


def test_no_init_std_leaves_torchs_own_bounds():
    """Uniform within 1 / sqrt(fan in): 16 * 3 of the first layer."""
    largest = ConvDown(SHAPE, (64,), width=32).layers[0].weight.abs().max().item()
    assert 0.95 / sqrt(48) < largest <= 1 / sqrt(48)


def bound(layer: nn.Module, gain: float) -> float:
    """Xavier's of uniform weights, gain sqrt(6 / (fan in + fan out))."""
    places = prod(layer.weight.shape[2:])
    return gain * sqrt(6 / (places * (layer.weight.shape[0] + layer.weight.shape[1])))


def test_every_layer_of_a_resnet_starts_xavier_uniform_with_gain_root_two_in_the_3x3_of_its_blocks():
    """1x1 and fully connected layers, and the last one of a generator, have a gain of 1."""
    down, up = ResNetDown(SHAPE, (32,), width=16), ResNetUp((32,), SHAPE, width=16)
    for network in (down, up):
        for name, layer in network.named_modules():
            if layer in weighted(network):
                expected = bound(layer, sqrt(2) if "branch" in name else 1.0)
                assert 0.9 * expected < layer.weight.abs().max().item() <= expected, name
                assert layer.bias.abs().max() == 0


def test_a_layer_of_r3gan_keeps_the_scale_of_its_signal():
    """The weights have the variance 1 / fan in, times the gain's square."""
    assert spread(plain_conv(64, 32, 1).weight) == pytest.approx(1 / sqrt(64), rel=0.05)
    assert spread(plain_conv(32, 64, 3).weight) == pytest.approx(1 / sqrt(9 * 32), rel=0.05)
    assert spread(plain_conv(32, 64, 3, gain=0.5).weight) == pytest.approx(0.5 / sqrt(9 * 32), rel=0.05)
    assert spread(plain_conv(64, 64, 3, groups=4).weight) == pytest.approx(1 / sqrt(9 * 16), rel=0.05)
    assert spread(scaled_linear(100, 64).weight) == pytest.approx(0.1, rel=0.05)


def test_the_basis_layers_of_r3gan_start_with_unit_maps_and_products_of_unit_variance():
    basis = GenerativeBasis(100, 64, (4, 5))
    assert basis.maps.shape == (64, 4, 5)
    assert spread(basis.maps) == pytest.approx(1, rel=0.05)
    assert spread(basis.scale.weight) == pytest.approx(0.1, rel=0.05)
    products, _, linear = DiscriminativeBasis(64, (5, 5), 32)
    assert products.weight.shape == (64, 1, 5, 5)
    assert spread(products.weight) == pytest.approx(1 / 5, rel=0.06)
    assert spread(linear.weight) == pytest.approx(1 / 8, rel=0.06)


@pytest.mark.parametrize("depth", [1, 2])
def test_the_gain_of_r3gans_blocks_is_of_all_blocks_of_the_network(depth):
    """Three sizes, 16, 8 and 4 pixels, each with `depth` blocks: 1x1 from 32 channels to 64, times n^(-1/4)."""
    gain = sqrt(2 / (1 + 0.2**2)) * (3 * depth) ** -0.25
    down, up = (make(width=32, depth=depth) for make in (partial(R3Down, SHAPE, (1,)), partial(R3Up, (8,), SHAPE)))
    for first in (down.stages[1], up.layers[-3]):
        assert spread(first.branch[0].weight) == pytest.approx(gain / sqrt(32), rel=0.05)


def test_r3gans_first_and_last_convolutions_have_a_gain_of_one():
    down, up = R3Down(SHAPE, (1,), width=256), R3Up((8,), SHAPE, width=256)
    assert spread(down.stages[0].weight) == pytest.approx(1 / sqrt(3), rel=0.06)
    assert spread(up.layers[-2].weight) == pytest.approx(1 / sqrt(256), rel=0.06)
    halving = [i for i, layer in enumerate(down.stages) if isinstance(layer, BilinearDown)]
    assert spread(down.stages[halving[0] + 1].weight) == pytest.approx(1 / sqrt(256), rel=0.05)


def test_a_branch_that_does_not_start_as_zero_ends_with_the_gain_of_the_others():
    """As spectral normalisation asks for: 1x1 from 64 channels back to 32."""
    block = R3Down(SHAPE, (1,), width=32, spectral_norm=True).stages[1]
    drawn = block.branch[-1].parametrizations.weight.original
    assert spread(drawn) == pytest.approx(sqrt(2 / 1.04) * 3**-0.25 / sqrt(64), rel=0.05)
