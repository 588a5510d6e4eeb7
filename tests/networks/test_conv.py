"""Strided convolutions are matrices, and their mirror images are the transposed ones."""

import pytest
import torch
from torch import nn

from genlab.networks import ConvDown, ConvUp


def test_width_doubles_at_each_stage_up_to_its_maximum():
    convolutions = [m for m in ConvDown((1, 64, 64), (1,), width=8, max_width=20).modules() if isinstance(m, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [8, 16, 20, 20]


def test_the_first_stage_of_a_normalised_network_is_not_normalised():
    layers = list(ConvDown((1, 32, 32), (1,), width=8, norm=nn.BatchNorm2d).layers)
    assert [type(layer) for layer in layers[:5]] == [nn.Conv2d, nn.ReLU, nn.Conv2d, nn.BatchNorm2d, nn.ReLU]


def test_init_std_is_the_spread_of_the_weights():
    layer = ConvUp((64,), (1, 32, 32), width=64, init_std=0.02).layers[1]
    assert abs(layer.weight.std().item() - 0.02) < 0.001
    assert layer.bias.abs().max() == 0


def test_names_of_weights_stay_so_that_checkpoints_load():
    weights = [name for name in ConvDown((1, 16, 16), (1,)).state_dict() if name.endswith("weight")]
    assert weights == ["layers.0.weight", "layers.2.weight", "layers.5.weight"]


@pytest.mark.parametrize(
    ("hidden", "down", "up"), [(None, [(5, 64)], [(64, 5)]), (7, [(7, 64), (5, 7)], [(7, 5), (64, 7)])]
)
def test_hidden_units_stand_between_the_maps_and_the_code(hidden, down, up):
    networks = ConvDown((1, 8, 8), (5,), width=4, hidden=hidden), ConvUp((5,), (1, 8, 8), width=4, hidden=hidden)
    found = [[tuple(m.weight.shape) for m in net.modules() if isinstance(m, nn.Linear)] for net in networks]
    assert found == [down, up]
    assert networks[0].head(networks[0].features(torch.zeros(2, 1, 8, 8))).shape == (2, 5)
    assert networks[1](torch.zeros(2, 5)).shape == (2, 1, 8, 8)


def test_between_maps_there_are_no_hidden_units():
    networks = ConvDown((1, 8, 8), (5, 4, 4), width=4, hidden=7), ConvUp((5, 4, 4), (1, 8, 8), width=4, hidden=7)
    assert not [m for network in networks for m in network.modules() if isinstance(m, nn.Linear)]


def convolution(size: int, c_in: int, c_out: int) -> nn.Conv2d:
    """The first layer of a `ConvDown` on images of that size with 3 channels, or on 1 of them."""
    return ConvDown((c_in, size, size), (1,), width=c_out).double().layers[0]


def transposed(size: int, c_in: int, c_out: int) -> nn.ConvTranspose2d:
    """The last layer of a `ConvUp` to images of that size."""
    layers = ConvUp((1,), (c_out, size, size), width=c_in).double().layers
    return [layer for layer in layers if isinstance(layer, nn.ConvTranspose2d)][-1]


@pytest.mark.parametrize("size", [8, 9])
def test_the_transposed_convolution_of_a_decoder_is_the_adjoint_of_the_encoders_with_the_same_weights(size, generator):
    down, up = convolution(size, 3, 5), transposed(size, 5, 3)
    nn.init.zeros_(down.bias)
    nn.init.zeros_(up.bias)
    x = torch.randn(2, 3, size, size, generator=generator, dtype=torch.float64)
    y = torch.randn(2, 5, 4, 4, generator=generator, dtype=torch.float64)
    assert (down(x) * y).sum().item() != pytest.approx((x * up(y)).sum().item(), rel=1e-6)
    up.weight = down.weight
    assert (down(x) * y).sum().item() == pytest.approx((x * up(y)).sum().item(), rel=1e-12)


def toeplitz(kernel: torch.Tensor, size: int) -> torch.Tensor:
    """The matrix of a 4x4 convolution of stride 2 and padding 1 on flattened (size, size) images, entry by entry."""
    n_out = size // 2
    matrix = torch.zeros(n_out, n_out, size, size, dtype=kernel.dtype)
    for i in range(n_out):
        for j in range(n_out):
            for p in range(4):
                for q in range(4):
                    row, column = 2 * i + p - 1, 2 * j + q - 1
                    if 0 <= row < size and 0 <= column < size:  # beyond lies the padding
                        matrix[i, j, row, column] = kernel[p, q]
    return matrix.reshape(n_out**2, size**2)


@pytest.mark.parametrize("size", [8, 9])
def test_a_strided_convolution_is_its_toeplitz_matrix_and_the_transposed_one_is_that_matrix_transposed(size, generator):
    down, up = convolution(size, 1, 1), transposed(size, 1, 1)
    nn.init.zeros_(down.bias)
    nn.init.zeros_(up.bias)
    up.weight = down.weight
    matrix = toeplitz(down.weight.detach()[0, 0], size)
    x = torch.randn(1, 1, size, size, generator=generator, dtype=torch.float64)
    y = torch.randn(1, 1, 4, 4, generator=generator, dtype=torch.float64)
    assert torch.allclose(down(x).flatten(), matrix @ x.flatten(), rtol=0, atol=1e-14)
    assert torch.allclose(up(y).flatten(), matrix.T @ y.flatten(), rtol=0, atol=1e-14)
