"""SNGAN's residual networks."""

from math import sqrt

import pytest
import torch
from settings import config
from torch import nn

from genlab.config.build import build
from genlab.networks import MeanPool, ResNetDown, ResNetUp
from genlab.networks.resnet import source_stages
from genlab.networks.resnet_blocks import ResidualBlock


def blocks(network: nn.Module) -> list[ResidualBlock]:
    return [module for module in network.modules() if isinstance(module, ResidualBlock)]


def n_norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def sides(network: nn.Module, *shape: int) -> list[int]:
    """The side of the map after each block, for one input of a shape."""
    seen: list[int] = []
    for block in blocks(network):
        block.register_forward_hook(lambda module, arguments, result: seen.append(result.shape[-1]))
    network(torch.zeros(1, *shape))
    return seen


def channels(network: nn.Module) -> list[int]:
    return [
        block.branch[-1 if isinstance(block.branch[-1], nn.Conv2d) else -2].out_channels for block in blocks(network)
    ]


# Of the paper (tables 4 to 6) and the authors' code: after each block the side of the map, and its channels.
SOURCE = {
    32: ([16, 8, 8, 8], 128, 128, [128, 128, 128, 128]),
    48: ([24, 12, 6, 3, 3], 64, 1024, [64, 128, 256, 512, 1024]),
    64: ([32, 16, 8, 4, 2], 64, 1024, [64, 128, 256, 512, 1024]),
    128: ([64, 32, 16, 8, 4, 4], 64, 1024, [64, 128, 256, 512, 1024, 1024]),
}


@pytest.mark.parametrize("side", SOURCE)
def test_a_discriminator_has_the_stages_and_widths_of_the_source(side):
    expected_sides, width, max_width, expected_channels = SOURCE[side]
    network = ResNetDown((3, side, side), (1,), width=width, max_width=max_width)
    assert channels(network) == expected_channels
    small = ResNetDown((3, side, side), (1,), width=4, max_width=8)
    assert sides(small, 3, side, side) == expected_sides


@pytest.mark.parametrize("role", ["encoder", "discriminator"])
@pytest.mark.parametrize("side", SOURCE)
def test_so_do_those_of_the_config_tree(role, side):
    model = "gan" if role == "discriminator" else "vae"
    overrides = (f"model.{role}.width=4", f"model.{role}.max_width=8")
    make = build(config(f"model={model}", f"model/{role}=resnet", *overrides).model[role])
    assert sides(make((3, side, side), (1,)), 3, side, side) == SOURCE[side][0]


def test_the_sum_over_a_map_of_32_pixels_is_over_64_places():
    network = ResNetDown((3, 32, 32), (1,), width=4)
    assert network.features(torch.zeros(1, 3, 32, 32)).shape[2:] == (8, 8)


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        (8, [4, 2]),
        (16, [8, 4, 4]),
        (28, [14, 7, 7, 7]),
        (33, [16, 8, 4, 2, 2]),
        (96, [48, 24, 12, 6, 3, 3]),
        (256, [128, 64, 32, 16, 8, 4, 4]),  # the authors' snresnet_256
    ],
)
def test_other_sizes_have_stages_of_the_same_rule(side, expected):
    n_halving, n_keeping = source_stages((3, side, side))
    maps = [side // 2**n for n in range(1, n_halving + 1)]
    assert [*maps, *n_keeping * [maps[-1]]] == expected


def test_every_size_leaves_two_pixels_or_more_and_no_stage_without_a_place():
    for side in range(8, 257):
        n_halving, n_keeping = source_stages((3, side, side))
        assert side >> n_halving >= 2
        assert n_halving >= 1
        assert n_keeping >= 0


def test_a_coarsest_side_of_ones_own_gives_as_many_halvings_as_leave_it_and_one_stage_of_the_same_width():
    """So were all networks before `coarsest` was a key, with 4."""
    network = ResNetDown((3, 32, 32), (1,), width=4, coarsest=4)
    assert sides(network, 3, 32, 32) == [16, 8, 4, 4]
    assert channels(network) == [4, 8, 16, 16]
    assert sides(ResNetDown((3, 32, 32), (1,), width=4, coarsest=17), 3, 32, 32) == [32]


def test_a_generator_starts_and_doubles_as_the_source_does():
    """Sides after each block; the source starts at 4, 6 and 4 pixels."""
    for side, expected in {32: [8, 16, 32], 48: [12, 24, 48], 64: [8, 16, 32, 64]}.items():
        assert sides(ResNetUp((5,), (3, side, side), width=4, max_width=8), 5) == expected
    widths = [64, 128, 256, 512, 1024][::-1]
    assert channels(ResNetUp((5,), (3, 64, 64), width=64, max_width=1024)) == widths[1:]


@pytest.mark.parametrize(("depth", "n_down", "n_up"), [(1, 4, 2), (2, 8, 4)])
def test_depth_is_the_number_of_blocks_in_each_stage(depth, n_down, n_up):
    assert len(blocks(ResNetDown((1, 28, 28), (1,), width=4, depth=depth))) == n_down
    assert len(blocks(ResNetUp((5,), (1, 28, 28), width=4, depth=depth))) == n_up
    assert ResNetDown((1, 28, 28), (1,), width=4, depth=depth).features(torch.zeros(1, 1, 28, 28)).shape[2:] == (7, 7)


@pytest.mark.parametrize("resize", [{"down": nn.AvgPool2d(2)}, {"up": nn.Upsample(size=(15, 13))}], ids=str)
def test_a_shortcut_gives_the_same_whether_it_resizes_before_its_convolution_or_after(resize):
    block = ResidualBlock(3, 5, 4, **resize)
    (resizing,) = resize.values()
    (convolution,) = [layer for layer in block.shortcut if isinstance(layer, nn.Conv2d)]
    nn.init.normal_(convolution.bias)
    x = torch.randn(2, 3, 7, 6)
    assert torch.allclose(resizing(convolution(x)), convolution(resizing(x)), atol=1e-5)
    assert torch.allclose(block.shortcut(x), convolution(resizing(x)), atol=1e-5)


def test_a_block_is_its_shortcut_plus_its_branch_and_keeps_maps_that_need_no_change():
    block = ResidualBlock(4, 4, 4)
    x = torch.randn(2, 4, 5, 5)
    assert torch.equal(block(x), x + block.branch(x))
    nn.init.zeros_(block.branch[-1].weight)
    assert torch.equal(block(x), x)


def test_the_first_block_sees_the_whole_range_of_an_image_and_the_others_start_with_an_activation():
    first, *others = blocks(ResNetDown((1, 28, 28), (1,), width=4))
    assert isinstance(first.branch[0], nn.Conv2d)
    assert all(isinstance(block.branch[0], nn.ReLU) for block in others)


def test_global_sums_are_global_means_times_the_number_of_places():
    torch.manual_seed(0)
    with_sums = ResNetDown((1, 28, 28), (3,), width=4)
    with_means = ResNetDown((1, 28, 28), (3,), width=4, pool=MeanPool)
    with_means.load_state_dict(with_sums.state_dict())
    x = torch.randn(2, 1, 28, 28)
    assert torch.allclose(with_sums(x), 49 * with_means(x), rtol=1e-4)


def test_a_generator_of_the_config_tree_is_batch_normalised_and_other_roles_are_not():
    nets = {
        "encoder": build(config("model/encoder=resnet").model.encoder)((1, 16, 16), (1,)),
        "decoder": build(config("model/decoder=resnet").model.decoder)((5,), (1, 16, 16)),
        "discriminator": build(config("model=gan", "model/discriminator=resnet").model.discriminator)(
            (1, 16, 16), (1,)
        ),
        "generator": build(config("model=gan", "model/generator=resnet").model.generator)((5,), (1, 16, 16)),
    }
    assert {role: n_norms(net) for role, net in nets.items()} == {
        "encoder": 0,
        "decoder": 0,
        "discriminator": 0,
        "generator": 5,  # two in each of two blocks, and one before the last convolution
    }


def test_weights_start_xavier_uniform_with_twice_the_variance_within_branches_and_biases_at_zero():
    block = ResidualBlock(16, 16, 32)
    bounds = {3: sqrt(2) * sqrt(6 / (9 * (16 + 32))), 1: sqrt(6 / (16 + 32))}
    for layer in (block.branch[-1], block.shortcut[0]):
        bound = bounds[layer.kernel_size[0]]
        assert 0.98 * bound < layer.weight.abs().max() <= bound
        assert layer.bias.abs().max() == 0
