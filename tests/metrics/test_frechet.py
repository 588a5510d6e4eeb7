"""The Fréchet distance against hand-derived numbers and scipy."""

import numpy as np
import pytest
import scipy.linalg
import torch

from genlab.metrics import frechet_distance, frechet_distance_of_few
from genlab.metrics.frechet import frechet_with_influence, frechet_with_influence_of_few
from genlab.moments import Moments, symmetric_root


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


def moments_of(features: torch.Tensor) -> Moments:
    moments = Moments(features.shape[1], torch.float64)
    moments.update(features)
    return moments


def test_a_root_at_hand_gives_the_same_distance_and_is_the_one_that_is_used():
    a, b = random_gaussian(6, 0), random_gaussian(6, 1)
    assert frechet_distance(a, b, symmetric_root(a.cov)) == frechet_distance(a, b)
    assert frechet_distance(a, b, symmetric_root(b.cov)) != pytest.approx(frechet_distance(a, b), rel=1e-3)


@pytest.mark.parametrize(("n", "dim"), [(2, 20), (5, 20), (40, 64), (60, 20)])
def test_the_path_for_few_vectors_gives_the_same_distance(n, dim, generator):
    reference, few = random_gaussian(dim, 5), torch.randn(n, dim, generator=generator) + 0.3
    assert frechet_distance_of_few(reference, few) == pytest.approx(
        frechet_distance(reference, moments_of(few)), rel=1e-8
    )


def test_two_vectors_a_unit_apart_have_variance_a_half():
    """Against N(0, 4): (1.5 - 0)^2 + 4 + 1/2 - 2 sqrt(4 / 2)."""
    reference = gaussian(torch.zeros(1), 4 * torch.eye(1))
    expected = 1.5**2 + 4.5 - 2 * 2**0.5
    assert frechet_distance_of_few(reference, torch.tensor([[1.0], [2.0]])) == pytest.approx(expected)


def test_few_vectors_are_at_no_distance_from_themselves_and_m_squared_from_their_shifted_selves(generator):
    few = torch.randn(5, 20, generator=generator)
    assert frechet_distance_of_few(moments_of(few), few) == pytest.approx(0, abs=1e-6)
    assert frechet_distance_of_few(moments_of(few), few + 0.5) == pytest.approx(20 * 0.5**2, rel=1e-6)


def test_rounding_in_dimensions_that_no_vector_reaches_does_not_add_up(generator):
    """Two vectors span one direction u, so that tr (S_a S_b)^(1/2) is the root of u^T S_a u times their variance."""
    reference, two = random_gaussian(200, 6), torch.randn(2, 200, generator=generator, dtype=torch.float64)
    half = (two[0] - two[1]) / 2**0.5  # the covariance of two vectors is half half^T
    shift = reference.mean - two.mean(0)
    expected = shift.square().sum() + reference.cov.trace() + half @ half - 2 * (half @ reference.cov @ half).sqrt()
    for found in (frechet_distance(reference, moments_of(two)), frechet_distance_of_few(reference, two)):
        assert found == pytest.approx(expected.item(), rel=1e-12)


def test_nor_does_it_where_the_reference_is_two_vectors(generator):
    two, few = (torch.randn(n, 200, generator=generator, dtype=torch.float64) for n in (2, 100))
    half, cov = (two[0] - two[1]) / 2**0.5, moments_of(few).cov
    shift = two.mean(0) - few.mean(0)
    expected = shift.square().sum() + half @ half + cov.trace() - 2 * (half @ cov @ half).sqrt()
    assert frechet_distance_of_few(moments_of(two), few) == pytest.approx(expected.item(), rel=1e-12)


def test_a_single_vector_has_no_covariance_and_is_refused(generator):
    one = Moments(3)
    one.update(torch.randn(1, 3, generator=generator))
    with pytest.raises(ValueError, match="at least two vectors"):
        frechet_distance(one, random_gaussian(3, 0))
    with pytest.raises(ValueError, match="at least two vectors"):
        frechet_distance_of_few(random_gaussian(3, 0), torch.zeros(1, 3))


def of(vectors: torch.Tensor) -> Moments:
    moments = Moments(vectors.shape[1], torch.float64)
    moments.update(vectors)
    return moments


def test_the_influence_of_a_vector_is_how_fast_the_distance_moves_with_its_weight(generator):
    reference, x, n = random_gaussian(8, 1), torch.randn(300, 8, generator=generator, dtype=torch.float64), 300

    def distance(weights):
        centred = x - weights @ x
        return frechet_distance(reference, gaussian(weights @ x, (centred.T * weights) @ centred))

    even, step = torch.full((n,), 1 / n, dtype=torch.float64), 1e-6
    influence = frechet_with_influence(reference, of(x), x)[1]
    assert influence.mean().item() == pytest.approx(0, abs=1e-5)
    for i in (0, 3):
        own = torch.eye(n, dtype=torch.float64)[i]
        slope = (distance(even + step * (own - even)) - distance(even - step * (own - even))) / (2 * step)
        assert influence[i].item() == pytest.approx(slope, abs=0.01 * influence.std().item())  # n - 1 for n


def test_the_influence_is_the_same_where_there_are_fewer_vectors_than_dimensions(generator):
    """Dimensions in which nothing varies change nothing, but for the way in which it is computed."""
    x = torch.randn(30, 8, generator=generator, dtype=torch.float64)
    few, zeros = random_gaussian(8, 1), torch.zeros(40, 40, dtype=torch.float64)
    many = gaussian(torch.cat([few.mean, zeros[0]]), torch.block_diag(few.cov, zeros))
    padded = torch.cat([x, zeros[:30]], 1)
    distance, wide = frechet_with_influence_of_few(many, padded)
    expected, narrow = frechet_with_influence(few, of(x), x)
    torch.testing.assert_close(wide.float(), narrow, rtol=1e-5, atol=1e-4)
    assert distance == pytest.approx(expected, rel=1e-6)  # roots of what is 0 but for rounding
    assert expected == pytest.approx(frechet_distance(few, of(x)), rel=1e-9)


def test_the_standard_error_covers_the_distances_of_other_vectors(generator):
    """400 sets of 50 vectors of N(1, 1), held against N(0, 1): 95% of the intervals are to hold the mean distance."""
    sets, reference = torch.randn(400, 50, 1, generator=generator) + 1, gaussian(torch.zeros(1), torch.eye(1))
    distances = torch.tensor([frechet_distance(reference, of(x)) for x in sets])
    errors = torch.stack([frechet_with_influence(reference, of(x), x)[1].std() / 50**0.5 for x in sets])
    covered = (distances - distances.mean()).abs() < 1.96 * errors
    assert errors.mean().item() == pytest.approx(distances.std().item(), rel=0.1)
    assert 0.91 < covered.double().mean() < 0.98
