"""The Gaussian likelihood against hand-derived numbers and torch.distributions."""

from math import log, pi

import pytest
import torch
from torch.distributions import Normal

from genlab.errors import UsageError
from genlab.losses import Gaussian


def test_nll_of_a_pixel_one_sigma_away_is_a_half_plus_the_constant():
    x, mean = torch.full((1, 1, 1, 1), 0.5), torch.zeros(1, 1, 1, 1)
    assert Gaussian(sigma=0.5).nll(x, mean).item() == pytest.approx(0.5 + log(0.5) + 0.5 * log(2 * pi))


def test_nll_is_the_log_density_summed_over_pixels(generator):
    x, mean = torch.randn(2, 4, 3, 5, 5, generator=generator)
    expected = -Normal(mean, 0.3).log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(Gaussian(0.3).nll(x, mean), expected)


def test_a_smaller_sigma_weighs_the_same_misfit_more():
    x, mean = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    fit = [Gaussian(s).nll(x, mean).item() - Gaussian(s).nll(mean, mean).item() for s in (1.0, 0.5)]
    assert fit == pytest.approx([0.5, 2.0])


def test_the_noise_has_the_spread_of_sigma(generator):
    noise = Gaussian(0.2).sample(torch.zeros(1, 1, 200, 200), generator)
    assert noise.std().item() == pytest.approx(0.2, rel=0.02)


@pytest.mark.parametrize("sigma", [0, -1.0, "wide"])
def test_a_sigma_that_is_not_above_zero_is_refused(sigma):
    with pytest.raises(UsageError, match=r"model\.likelihood\.sigma"):
        Gaussian(sigma)
