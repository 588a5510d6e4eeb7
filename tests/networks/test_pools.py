"""Pooling by 2 and its adjoints."""

import pytest
import torch

from genlab.errors import UsageError
from genlab.networks import AveragePooling, AverageUnpooling, MaxPooling, MaxUnpooling

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
