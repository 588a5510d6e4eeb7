"""The bilinear filter, halving and doubling."""

import pytest
import torch
from torch.nn import functional as F

from genlab.networks.resampling import BilinearDown, BilinearUp


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
