"""The two halves of a network with pooling."""

import pytest
import torch
from settings import config
from torch import nn

from genlab.config.build import build
from genlab.errors import UsageError
from genlab.networks import AveragePooling, AverageUnpooling, PoolingDown, PoolingUp

SHAPES = [(1, 16, 16), (3, 33, 17), (1, 9, 64)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_indices_travel_from_every_stage_of_the_encoder_to_the_mirrored_one_of_the_decoder(shape):
    down, up = PoolingDown(shape, (5,), width=4), PoolingUp((5,), shape, width=4)
    x = torch.randn(2, *shape)
    z, indices = down.with_indices(x)
    assert torch.equal(z, down(x))
    assert [i.shape[1] for i in indices] == [4, 8, 16][: len(indices)]
    assert up(z, indices).shape == x.shape
    assert not torch.equal(up(z, indices), up(z))


def test_where_a_maximum_stood_is_where_its_value_returns():
    up = PoolingUp((4,), (1, 8, 8), width=1, output=nn.Identity).requires_grad_(False)
    nn.init.ones_(up.first[1].weight)
    nn.init.zeros_(up.first[1].bias)
    nn.init.dirac_(up.after[0].weight)  # passes its input on
    nn.init.zeros_(up.after[0].bias)
    corners = 16 * torch.arange(4)[:, None] + 2 * torch.arange(4)  # top left of each cell, in an 8x8 plane
    image = up(torch.ones(1, 4), [corners[None, None]])
    assert image[0, 0, ::2, ::2].unique().tolist() == [4]
    assert image.sum() == 16 * 4


def test_average_pooling_keeps_no_indices_and_max_unpooling_then_does_as_without_any():
    down = PoolingDown((1, 16, 16), (5,), width=4, pooling=AveragePooling)
    up = PoolingUp((5,), (1, 16, 16), width=4)
    z, indices = down.with_indices(torch.randn(2, 1, 16, 16))
    assert indices == [None, None]
    assert torch.equal(up(z, indices), up(z))


def test_average_unpooling_makes_no_use_of_indices_and_says_so():
    shape = (1, 16, 16)
    up = PoolingUp((5,), shape, width=4, unpooling=AverageUnpooling)
    z, indices = PoolingDown(shape, (5,), width=4).with_indices(torch.randn(2, *shape))
    assert torch.equal(up(z, indices), up(z))
    assert up.keeps_indices is False
    assert PoolingUp((5,), shape).keeps_indices is True


@pytest.mark.parametrize("changed", [{"width": 8}, {"max_width": 5}])
def test_other_widths_than_the_encoders_are_refused_with_the_keys_that_must_agree(changed):
    z, indices = PoolingDown((1, 16, 16), (5,), width=4).with_indices(torch.randn(2, 1, 16, 16))
    up = PoolingUp((5,), (1, 16, 16), **({"width": 4} | changed))
    with pytest.raises(UsageError, match=r"model\.encoder\.width.*model\.decoder\.width.*max_width"):
        up(z, indices)
    assert up(z).shape == (2, 1, 16, 16)


def test_a_decoder_of_the_config_tree_uses_indices_and_a_generator_does_not():
    decoder = build(config("model/decoder=pooling").model.decoder)((5,), (1, 16, 16))
    generator = build(config("model=gan", "model/generator=pooling").model.generator)((5,), (1, 16, 16))
    assert decoder.keeps_indices is True
    assert generator.keeps_indices is False


def test_the_first_stage_of_a_normalised_network_is_not_normalised():
    first, second = PoolingDown((1, 16, 16), (1,), width=4, norm=nn.BatchNorm2d).stages
    assert [type(layer) for layer in first] == [nn.Conv2d, nn.ReLU]
    assert [type(layer) for layer in second] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
