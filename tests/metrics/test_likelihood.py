"""Bounds from log weights, and bits."""

from math import log

import pytest
import torch

from genlab.losses import Bernoulli, Gaussian, Laplace, LearnedGaussian, OptimalGaussian
from genlab.metrics import bits_per_dimension, importance_weighted_bound


def test_the_bound_is_the_logarithm_of_the_mean_weight_of_each_image():
    weights = torch.tensor([[1.0, 8.0], [3.0, 2.0]])  # two samples of two images
    assert importance_weighted_bound(weights.log()).tolist() == pytest.approx([log(2), log(5)])


def test_one_sample_gives_the_elbo_and_more_give_a_bound_no_looser(generator):
    log_weights = torch.randn(50, 20, generator=generator)
    assert torch.equal(importance_weighted_bound(log_weights[:1]), log_weights[0])
    assert (importance_weighted_bound(log_weights) > log_weights.mean(0)).all()


def test_weights_that_would_underflow_keep_their_ratio():
    log_weights = torch.tensor([[-10_000.0], [-10_000.0 + log(3)]])
    assert importance_weighted_bound(log_weights).item() == pytest.approx(-10_000 + log(2))


def test_the_uniform_density_on_grey_levels_costs_the_bits_of_255_cells():
    """p(x) = 1/2 on [-1, 1] in each of 12 entries."""
    assert bits_per_dimension(12 * log(2), 12, Gaussian(1.0).cell) == pytest.approx(log(255) / log(2))


def test_a_gaussian_that_is_wide_against_a_cell_costs_what_its_integral_over_the_cell_does():
    normal, sigma = torch.distributions.Normal(0.0, 0.1), 0.1
    low, high = (normal.cdf(torch.tensor(0.2 + side / 255, dtype=torch.float64)) for side in (-1, 1))
    x = torch.full((1, 1, 1, 1), 0.2)
    nats = Gaussian(sigma).nll(x, torch.zeros_like(x)).item()
    assert bits_per_dimension(nats, 1, Gaussian.cell) == pytest.approx(-(high - low).log2().item(), abs=0.01)


def test_an_undecided_bernoulli_costs_one_bit_a_pixel():
    x, logits = torch.ones(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    assert bits_per_dimension(Bernoulli().nll(x, logits).item(), 12, Bernoulli.cell) == pytest.approx(1)
    assert bits_per_dimension(Bernoulli().nll(x, logits).item(), 12, Gaussian.cell) > 7


@pytest.mark.parametrize("density", [Gaussian, LearnedGaussian, OptimalGaussian, Laplace])
def test_a_cell_of_the_densities_is_a_grey_level_wide(density):
    assert density.cell == 2 / 255
