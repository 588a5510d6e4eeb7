"""Standard errors over samples: those that metrics state are the deviations over other sets of samples."""

import pytest
import torch

from genlab.metrics import kernel_distance, manifold_metrics, memorisation, nearest
from genlab.metrics.kernel import kernel_influence
from genlab.moments import some_of, standard_error

N_SETS, N, DIM = 120, 100, 4


@pytest.fixture(scope="module")
def reference():
    return torch.randn(200, DIM, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def sets():
    return 0.8 * torch.randn(N_SETS, N, DIM, generator=torch.Generator().manual_seed(2)) + 0.5


def test_the_error_of_a_mean_is_that_of_the_textbook():
    """Of 1, 2, 3: variance 1, so the square root of a third."""
    assert standard_error(torch.tensor([1, 2, 3])) == pytest.approx(3**-0.5)


def test_the_kernel_distance(sets, reference):
    values = torch.tensor([kernel_distance(x, reference, 1, N)[0] for x in sets])
    errors = torch.tensor([standard_error(kernel_influence(x, x, reference[:N])) for x in sets])
    assert errors.mean().item() == pytest.approx(values.std().item(), rel=0.2)
    assert 0.9 <= ((values - values.mean()).abs() < 1.96 * errors).double().mean() < 1


def test_the_kernels_influence_by_hand():
    """k(0, 0) = k(0, 1) = 1 and k(1, 1) = 8, beside two zeros: 2 (1 - 1) of 0 and 2 (1 - 1) of 1, for x = 0, 1."""
    two, ones = torch.tensor([[0.0], [1.0]]), torch.ones(3, 1)
    assert kernel_influence(two, two, torch.zeros(2, 1)).tolist() == [0, 0]
    assert kernel_influence(ones[:2], ones, torch.zeros(2, 1)).tolist() == [14, 14]


def test_some_samples_tell_the_error_of_many(sets, reference):
    many = sets.flatten(0, 1)
    assert len(some_of(many)) == 1000 < len(many)
    part = standard_error(kernel_influence(some_of(many), many, reference), len(many))
    assert part == pytest.approx(standard_error(kernel_influence(many, many, reference)), rel=0.05)


def test_balls_of_neighbours(sets, reference):
    """Recall and coverage are a little on the safe side; a share near 1 varies by few samples, so in steps."""
    found = [manifold_metrics(x, reference) for x in sets]
    values, errors = (torch.tensor(part) for part in zip(*found, strict=True))
    ratio = errors.mean(0) / values.std(0)
    assert ((ratio > 0.85) & (ratio < 1.4)).all(), ratio
    is_covered = (values - values.mean(0)).abs() < 1.96 * errors
    assert (is_covered.double().mean(0) > torch.tensor([0.85, 0.92, 0.9, 0.92])).all()


def test_memorisation(sets, reference):
    held_out = nearest(torch.randn(200, DIM, generator=torch.Generator().manual_seed(3)), reference)[0]
    shares = [memorisation(nearest(x, reference)[0], held_out) for x in sets]
    values, errors = (torch.tensor([f(part) for part in shares]) for f in (torch.mean, standard_error))
    assert errors.mean().item() == pytest.approx(values.std().item(), rel=0.2)
