"""The kernel distance against hand-derived numbers and the estimator written out."""

import pytest
import torch

from genlab.metrics import kernel_distance


def written_out(x: torch.Tensor, y: torch.Tensor) -> float:
    """The unbiased estimator as sums over pairs (Binkowski et al. 2018, eq. 4)."""

    def kernel(a, b):
        return ((a @ b / len(a)).item() + 1) ** 3

    n, m = len(x), len(y)
    within_x = sum(kernel(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within_y = sum(kernel(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return within_x + within_y - 2 * sum(kernel(a, b) for a in x for b in y) / (n * m)


def test_two_constant_sets_at_zero_and_one_are_seven_apart():
    """k(0, 0) = k(0, 1) = 1 and k(1, 1) = (1 + 1)^3 = 8 in any dimension: 8 + 1 - 2."""
    assert kernel_distance(torch.ones(4, 3), torch.zeros(4, 3), n_subsets=2) == (pytest.approx(7.0), 0.0)


def test_sets_no_larger_than_a_subset_give_the_estimator_over_all_pairs(generator):
    x, y = torch.randn(6, 4, generator=generator), torch.randn(6, 4, generator=generator) + 1
    mean, deviation = kernel_distance(x, y, n_subsets=3)
    assert mean == pytest.approx(written_out(x, y), rel=1e-5)
    assert deviation == pytest.approx(0, abs=1e-6)


def test_the_smaller_set_decides_how_large_a_subset_is(generator):
    x, y = torch.randn(50, 4, generator=generator), torch.randn(6, 4, generator=generator)
    assert kernel_distance(x, y, subset_size=1000) == kernel_distance(x, y, subset_size=6)
    assert kernel_distance(x, y, subset_size=1000) != kernel_distance(x, y, subset_size=5)


def test_equal_distributions_are_at_zero_within_the_error_of_the_mean_and_shifted_ones_are_not(generator):
    x, y = torch.randn(2, 2000, 8, generator=generator)
    mean, deviation = kernel_distance(x, y, n_subsets=50, subset_size=100)
    assert abs(mean) < deviation
    shifted, _ = kernel_distance(x, y + 0.5, n_subsets=50, subset_size=100)
    assert shifted > 10 * deviation


def test_the_estimator_is_unbiased_and_therefore_negative_at_times(generator):
    pairs = torch.randn(40, 2, 20, 8, generator=generator)
    found = torch.tensor([kernel_distance(x, y, n_subsets=1)[0] for x, y in pairs])
    assert found.min() < 0 < found.max()
    assert abs(found.mean()) < 3 * found.std() / 40**0.5


def test_the_seed_decides_the_subsets_and_the_global_generators_stay(generator, unmoved):
    x, y = torch.randn(2, 100, 4, generator=generator)
    first, again, other = (kernel_distance(x, y, subset_size=10, seed=seed) for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize(("n", "n_subsets"), [(1, 100), (5, 0)])
def test_a_subset_of_one_and_no_subset_are_refused(n, n_subsets):
    with pytest.raises(ValueError, match="at least two vectors"):
        kernel_distance(torch.zeros(n, 3), torch.zeros(5, 3), n_subsets=n_subsets)
