"""Every network in the config tree is a map between shapes."""

import pytest
import torch
from settings import config, options
from torch import nn

from genlab.errors import UsageError
from genlab.networks import MLP, ConvDown, ConvUp
from genlab.networks.layers import stage_sizes
from genlab.runs.build import build

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 33, 17), (3, 9, 64), (1, 255, 31)]
DOWN = [("encoder", (6,)), ("discriminator", (1,))]
UP = ["decoder", "generator"]
MODEL_WITH = {"encoder": "vae", "decoder": "vae", "generator": "gan", "discriminator": "gan"}


def network(role: str, name: str):
    return build(config(f"model={MODEL_WITH[role]}", f"model/{role}={name}", f"model.{role}.width=8").model[role])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("role", "out_shape", "name"), [(r, o, n) for r, o in DOWN for n in options(f"model/{r}")])
def test_every_network_that_reads_images_maps_any_image_shape(role, out_shape, name, shape):
    y = network(role, name)(shape, out_shape)(torch.zeros(2, *shape))
    assert y.shape == (2, *out_shape)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("role", "name"), [(role, name) for role in UP for name in options(f"model/{role}")])
def test_every_network_that_makes_images_reaches_any_image_shape_within_its_range(role, name, shape):
    x = network(role, name)((5,), shape)(10 * torch.ones(2, 5))
    assert x.shape == (2, *shape)
    assert x.abs().max() <= 1


@pytest.mark.parametrize("shape", [(1, 7, 28), (1, 28, 257), (2, 28, 28)], ids=str)
def test_a_convolutional_network_refuses_other_shapes_and_names_them(shape):
    for refused in (lambda: ConvDown(shape, (1,)), lambda: ConvUp((4,), shape)):
        with pytest.raises(UsageError, match=rf"\({shape[0]}, {shape[1]}, {shape[2]}\)"):
            refused()


def test_stages_halve_while_four_pixels_are_left():
    assert stage_sizes((1, 28, 28)) == [(28, 28), (14, 14), (7, 7)]
    assert stage_sizes((3, 64, 64))[-1] == (4, 4)
    assert stage_sizes((1, 15, 9)) == [(15, 9), (7, 4)]


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


def test_the_depth_of_an_mlp_is_its_number_of_hidden_layers():
    linear = [m for m in MLP((1, 8, 8), (3,), width=16, depth=3).modules() if isinstance(m, nn.Linear)]
    assert [layer.out_features for layer in linear] == [16, 16, 16, 3]
