"""The Fréchet distance against hand-derived numbers and scipy."""

import numpy as np
import pytest
import scipy.linalg
import torch

from genlab.metrics import frechet_distance
from genlab.moments import Moments


def gaussian(mean: torch.Tensor, cov: torch.Tensor, n: int = 100) -> Moments:
    moments = Moments(len(mean), torch.float64)
    moments.n, moments.mean, moments.scatter = n, mean.double(), cov.double() * (n - 1)
    return moments


def random_gaussian(dim: int, seed: int) -> Moments:
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(dim, dim, generator=generator, dtype=torch.float64)
    return gaussian(torch.randn(dim, generator=generator, dtype=torch.float64), root @ root.T)


def test_a_unit_gaussian_shifted_by_m_is_m_squared_away():
    shifted, standard = gaussian(torch.tensor([3.0]), torch.eye(1)), gaussian(torch.zeros(1), torch.eye(1))
    assert frechet_distance(shifted, standard) == pytest.approx(9.0)


def test_a_gaussian_of_deviation_s_is_one_minus_s_squared_away_from_the_standard_one():
    wide, standard = gaussian(torch.zeros(2), 9 * torch.eye(2)), gaussian(torch.zeros(2), torch.eye(2))
    assert frechet_distance(wide, standard) == pytest.approx(2 * (3 - 1) ** 2)


def test_the_distance_of_a_set_to_itself_is_zero(generator):
    moments = Moments(5, torch.float64)
    moments.update(torch.randn(40, 5, generator=generator))
    assert frechet_distance(moments, moments) == pytest.approx(0, abs=1e-9)


def test_it_is_symmetric():
    a, b = random_gaussian(6, 0), random_gaussian(6, 1)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-10)


@pytest.mark.parametrize("dim", [2, 7, 32])
def test_it_is_what_scipys_matrix_root_gives(dim):
    a, b = random_gaussian(dim, 2), random_gaussian(dim, 3)
    root = scipy.linalg.sqrtm((a.cov @ b.cov).numpy()).real
    expected = (a.mean - b.mean).square().sum() + a.cov.trace() + b.cov.trace() - 2 * np.trace(root)
    assert frechet_distance(a, b) == pytest.approx(expected.item(), rel=1e-8)


def test_fewer_vectors_than_dimensions_are_no_obstacle(generator):
    few = Moments(20, torch.float64)
    few.update(torch.randn(5, 20, generator=generator))
    assert 0 < frechet_distance(few, random_gaussian(20, 4)) < float("inf")


def test_a_single_vector_has_no_covariance_and_is_refused(generator):
    one = Moments(3)
    one.update(torch.randn(1, 3, generator=generator))
    with pytest.raises(ValueError, match="at least two vectors"):
        frechet_distance(one, random_gaussian(3, 0))
