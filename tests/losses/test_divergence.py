"""The closed-form KL against hand-derived numbers and torch.distributions."""

from math import log

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from genlab.losses import kl_to_standard_normal


def test_kl_of_the_prior_to_itself_is_zero():
    assert kl_to_standard_normal(torch.zeros(3, 4), torch.zeros(3, 4)).tolist() == [0.0, 0.0, 0.0]


def test_kl_of_a_shifted_prior_is_half_its_squared_mean():
    assert kl_to_standard_normal(torch.tensor([[3.0, 1.0]]), torch.zeros(1, 2)).item() == pytest.approx((9 + 1) / 2)


def test_kl_of_a_prior_with_doubled_deviation():
    logvar = torch.full((1, 1), 2 * log(2.0))
    assert kl_to_standard_normal(torch.zeros(1, 1), logvar).item() == pytest.approx(0.5 * (4 - 1 - log(4.0)))


def test_kl_is_that_of_torch_distributions(generator):
    mean, logvar = torch.randn(2, 7, 5, generator=generator)
    expected = kl_divergence(Normal(mean, (0.5 * logvar).exp()), Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(kl_to_standard_normal(mean, logvar), expected)
