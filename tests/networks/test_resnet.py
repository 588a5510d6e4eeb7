"""SNGAN's residual networks."""

from math import sqrt

import pytest
import torch
from settings import config
from torch import nn

from genlab.errors import UsageError
from genlab.networks import MeanPool, ResNetDown, ResNetUp
from genlab.networks.resnet import ResidualBlock
from genlab.runs.build import build


def blocks(network: nn.Module) -> list[ResidualBlock]:
    return [module for module in network.modules() if isinstance(module, ResidualBlock)]


def n_norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize(("depth", "n_down", "n_up"), [(1, 3, 2), (2, 6, 4)])
def test_depth_is_the_number_of_blocks_at_each_size(depth, n_down, n_up):
    assert len(blocks(ResNetDown((1, 28, 28), (1,), width=4, depth=depth))) == n_down
    assert len(blocks(ResNetUp((5,), (1, 28, 28), width=4, depth=depth))) == n_up
    assert ResNetDown((1, 28, 28), (1,), width=4, depth=depth).features(torch.zeros(1, 1, 28, 28)).shape[2:] == (7, 7)


def test_a_depth_of_zero_is_refused():
    for refused in (lambda: ResNetDown((1, 28, 28), (1,), depth=0), lambda: ResNetUp((5,), (1, 28, 28), depth=0)):
        with pytest.raises(UsageError, match="depth=0"):
            refused()


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
