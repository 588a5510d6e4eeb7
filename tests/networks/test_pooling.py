"""Pooling by 2, its adjoints, and the two halves of a network of them."""

import pytest
import torch
from settings import config
from torch import nn

from genlab.config.build import build
from genlab.errors import UsageError
from genlab.networks import AveragePooling, AverageUnpooling, MaxPooling, MaxUnpooling, PoolingDown, PoolingUp

SHAPES = [(1, 16, 16), (3, 33, 17), (1, 9, 64)]
SIZES = [(4, 4), (5, 4), (7, 9)]


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def test_max_pooling_keeps_the_largest_value_of_each_cell_and_where_it_stood():
    x = torch.tensor([[[[1.0, 2.0, 0.0, 9.0], [4.0, 3.0, 8.0, 7.0]]]])
    pooled, indices = MaxPooling()(x)
    assert pooled.tolist() == [[[[4.0, 9.0]]]]
    assert indices.tolist() == [[[[4, 3]]]]


def test_average_pooling_keeps_the_means_and_no_indices():
    x = torch.tensor([[[[1.0, 2.0, 0.0, 9.0], [4.0, 3.0, 8.0, 7.0]]]])
    pooled, indices = AveragePooling()(x)
    assert pooled.tolist() == [[[[2.5, 6.0]]]]
    assert indices is None


def test_max_unpooling_puts_each_value_where_its_counterpart_stood_and_average_unpooling_spreads_it():
    y, indices = torch.tensor([[[[4.0, 8.0]]]]), torch.tensor([[[[4, 3]]]])
    assert MaxUnpooling()(y, (2, 4), indices).tolist() == [[[[0, 0, 0, 8], [4, 0, 0, 0]]]]
    assert AverageUnpooling()(y, (2, 4)).tolist() == [[[[1, 1, 2, 2], [1, 1, 2, 2]]]]


def test_an_odd_last_row_or_column_is_left_out_and_comes_back_as_zeros():
    x = torch.ones(1, 1, 5, 7)
    for pooling, unpooling in ((MaxPooling(), MaxUnpooling()), (AveragePooling(), AverageUnpooling())):
        y, indices = pooling(x)
        back = unpooling(y, (5, 7), indices)
        assert y.shape == (1, 1, 2, 3)
        assert back.shape == x.shape
        assert back.sum() == 6
        assert back[..., 4, :].abs().sum() + back[..., :, 6].abs().sum() == 0


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_average_unpooling_is_the_adjoint_of_average_pooling_and_four_times_it_is_not(size):
    x, y = normal(2, 3, *size), normal(2, 3, size[0] // 2, size[1] // 2)
    pooled = (AveragePooling()(x)[0] * y).sum().item()
    assert pooled == pytest.approx((x * AverageUnpooling()(y, size)).sum().item(), rel=1e-12)
    assert pooled != pytest.approx((x * AverageUnpooling()(4 * y, size)).sum().item(), rel=1e-3)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_max_unpooling_is_the_adjoint_of_max_pooling_at_the_indices_it_kept_but_not_at_others(size):
    x, y = normal(2, 3, *size), normal(2, 3, size[0] // 2, size[1] // 2)
    maxima, indices = MaxPooling()(x)
    _, others = MaxPooling()(-x)
    pooled = (maxima * y).sum().item()
    assert pooled == pytest.approx((x * MaxUnpooling()(y, size, indices)).sum().item(), rel=1e-12)
    assert pooled != pytest.approx((x * MaxUnpooling()(y, size, others)).sum().item(), rel=1e-3)


def test_without_indices_max_unpooling_is_average_unpooling():
    y = normal(2, 3, 4, 5)
    assert torch.equal(MaxUnpooling()(y, (9, 10)), AverageUnpooling()(y, (9, 10)))


def test_indices_of_another_number_of_channels_are_refused_with_the_keys_that_must_agree():
    _, indices = MaxPooling()(normal(2, 6, 8, 8))
    with pytest.raises(UsageError, match=r"model\.encoder\.width.*model\.decoder\.width"):
        MaxUnpooling()(normal(2, 3, 4, 4), (8, 8), indices)


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
