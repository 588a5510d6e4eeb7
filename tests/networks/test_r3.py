"""R3GAN's residual networks, and the bilinear filter that they resample with."""

from math import sqrt

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from genlab.errors import UsageError
from genlab.networks import R3Down, R3Up
from genlab.networks.r3_blocks import BilinearDown, BilinearUp, R3Block


def blocks(network: nn.Module) -> list[R3Block]:
    return [module for module in network.modules() if isinstance(module, R3Block)]


def a_block(**options) -> R3Block:
    return R3Block(32, **({"n_blocks": 16, "group_size": 16, "expansion": 2, "negative_slope": 0.2} | options))


@pytest.mark.parametrize("network", [R3Down((1, 28, 28), (3,)), R3Up((5,), (1, 28, 28))], ids=["down", "up"])
def test_residual_branches_start_as_zero(network):
    for block in blocks(network):
        x = torch.randn(2, block.branch[0].in_channels, 5, 5)
        assert block.branch(x).abs().max() == 0
        nn.init.normal_(block.branch[-1].weight)
        assert block.branch(x).abs().max() > 0


def test_a_network_starts_linear_and_its_blocks_make_it_non_linear():
    net = R3Down((1, 12, 9), (3,), width=8)
    x, y = torch.randn(2, 2, 1, 12, 9)
    assert torch.allclose(net(x - 2 * y), net(x) - 2 * net(y), atol=1e-5)
    nn.init.normal_(blocks(net)[0].branch[-1].weight)
    assert not torch.allclose(net(x - 2 * y), net(x) - 2 * net(y), atol=1e-2)


def test_with_spectral_norm_no_branch_starts_as_zero_and_all_is_finite():
    net = R3Down((1, 12, 9), (3,), width=8, spectral_norm=True)
    assert all(block.branch[-1].weight.abs().max() > 0 for block in blocks(net))
    assert net(torch.randn(2, 1, 12, 9)).isfinite().all()


def test_the_other_convolutions_start_with_variance_scaled_by_the_number_of_blocks():
    torch.manual_seed(0)
    gain = sqrt(2 / 1.04) * 16**-0.25
    first, grouped = a_block().branch[0], a_block().branch[2]
    assert first.weight.std().item() == pytest.approx(gain / sqrt(32), rel=0.05)
    assert grouped.weight.std().item() == pytest.approx(gain / sqrt(9 * 16), rel=0.05)


@pytest.mark.parametrize(("group_size", "n_groups"), [(16, 4), (64, 1), (1, 64)])
def test_the_cardinality_is_the_number_of_groups_of_the_expanded_channels(group_size, n_groups):
    assert a_block(group_size=group_size).branch[2].groups == n_groups


def test_a_width_that_does_not_divide_into_groups_is_refused_by_name():
    with pytest.raises(UsageError, match=r"12 channels.*group_size=16"):
        R3Down((1, 28, 28), (1,), width=12)
    with pytest.raises(UsageError, match=r"40 channels.*group_size=16"):
        R3Up((5,), (1, 64, 64), width=16, max_width=40, expansion=1)
    assert R3Down((1, 28, 28), (1,), width=12, group_size=8)(torch.zeros(2, 1, 28, 28)).shape == (2, 1)


@pytest.mark.parametrize(("depth", "n_blocks"), [(1, 3), (2, 6)])
def test_depth_is_the_number_of_blocks_at_each_size_the_images_own_included(depth, n_blocks):
    assert len(blocks(R3Down((1, 28, 28), (1,), width=8, depth=depth))) == n_blocks
    assert len(blocks(R3Up((5,), (1, 28, 28), width=8, depth=depth))) == n_blocks


def test_the_bias_before_a_leaky_relu_is_learned():
    activation = a_block().branch[1]
    with torch.no_grad():
        activation.bias.fill_(-1)
    assert torch.allclose(activation(torch.ones(1, 64, 2, 2)), torch.zeros(()))
    assert torch.allclose(activation(torch.zeros(1, 64, 2, 2)), torch.tensor(-0.2))


def test_no_layer_normalises_so_that_an_image_is_made_alone_as_in_a_batch():
    up = R3Up((5,), (1, 28, 28), width=8)
    nn.init.normal_(blocks(up)[0].branch[-1].weight, std=0.1)
    z = torch.randn(3, 5)
    assert torch.allclose(up(z)[:1], up(z[:1]), atol=1e-6)


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("size", [(8, 12), (9, 13)], ids=str)
def test_within_the_border_both_are_bilinear_interpolation(size):
    x = normal(2, 3, *size)
    half = (size[0] // 2, size[1] // 2)
    even = x[:, :, : 2 * half[0], : 2 * half[1]]  # an odd last row is seen by the last result alone
    down = F.interpolate(even, half, mode="bilinear", antialias=True)
    up = F.interpolate(x, scale_factor=2.0, mode="bilinear")
    assert torch.allclose(BilinearDown().double()(x)[..., 1:-1, 1:-1], down[..., 1:-1, 1:-1])
    assert torch.allclose(BilinearUp((0, 0)).double()(x)[..., 1:-1, 1:-1], up[..., 1:-1, 1:-1])


def test_doubling_is_four_times_the_adjoint_of_halving():
    x, y = normal(2, 3, 8, 12), normal(2, 3, 4, 6)
    halved = (BilinearDown().double()(x) * y).sum().item()
    assert 4 * halved == pytest.approx((x * BilinearUp((0, 0)).double()(y)).sum().item(), rel=1e-12)


def test_beyond_the_border_is_zero_but_an_additional_row_is_as_bright_as_its_neighbour():
    ones = torch.ones(1, 1, 4, 4)
    even, odd = BilinearUp((0, 0))(ones), BilinearUp((1, 0))(ones)
    assert (even.shape, odd.shape) == ((1, 1, 8, 8), (1, 1, 9, 8))
    assert even[0, 0, :, 4].tolist() == [0.75, 1, 1, 1, 1, 1, 1, 0.75]
    assert odd[0, 0, :, 4].tolist() == [0.75, 1, 1, 1, 1, 1, 1, 1, 1]
    assert BilinearDown()(torch.ones(1, 1, 9, 9)).tolist()[0][0][0] == [49 / 64, 7 / 8, 7 / 8, 7 / 8]
