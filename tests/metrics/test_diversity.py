"""How varied samples are."""

import pytest
import torch

from genlab.metrics import class_shares, diversity, total_variation
from genlab.moments import Moments


def moments_of(features: torch.Tensor) -> Moments:
    moments = Moments(features.shape[1], torch.float64)
    moments.update(features)
    return moments


def mean_squared_distance(features: torch.Tensor) -> float:
    """Over pairs of different vectors."""
    n = len(features)
    return (features[:, None] - features).double().square().sum(2).sum().item() / (n * (n - 1))


def test_diversity_is_the_ratio_of_mean_squared_distances_over_pairs(generator):
    samples, reference = torch.randn(30, 4, generator=generator) + 7, 2 * torch.randn(50, 4, generator=generator)
    expected = mean_squared_distance(samples) / mean_squared_distance(reference)
    assert diversity(moments_of(samples), moments_of(reference)) == pytest.approx(expected, rel=1e-6)


def test_data_are_as_varied_as_themselves_half_as_wide_ones_a_quarter_and_collapsed_ones_not_at_all(generator):
    data = torch.randn(30, 4, generator=generator)
    assert diversity(moments_of(data), moments_of(data)) == 1
    assert diversity(moments_of(data / 2), moments_of(data)) == pytest.approx(1 / 4)
    assert diversity(moments_of(data[:1].expand(30, 4)), moments_of(data)) == pytest.approx(0, abs=1e-12)


def test_sets_that_have_no_spread_to_compare_are_refused(generator):
    data = moments_of(torch.randn(30, 4, generator=generator))
    for samples, reference in ((moments_of(torch.zeros(1, 4)), data), (data, moments_of(torch.zeros(1, 4)))):
        with pytest.raises(ValueError, match="at least two vectors"):
            diversity(samples, reference)
    with pytest.raises(ValueError, match="all alike"):
        diversity(data, moments_of(torch.zeros(3, 4)))


def test_class_shares_count_every_class_also_those_that_are_absent():
    assert class_shares(torch.tensor([0, 2, 2, 2]), 4).tolist() == [0.25, 0, 0.75, 0]


@pytest.mark.parametrize("labels", [[], [4], [-1]])
def test_labels_of_no_class_are_refused(labels):
    with pytest.raises(ValueError, match="from 0 to 3"):
        class_shares(torch.tensor(labels, dtype=torch.long), 4)


def test_total_variation_is_the_share_that_would_have_to_move():
    p, q = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.5, 0.2, 0.3])
    assert total_variation(p, q) == pytest.approx(0.3)
    assert total_variation(q, p) == pytest.approx(0.3)
    assert total_variation(p, p) == 0
    assert total_variation(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])) == 1


def test_shares_of_different_classes_are_not_compared():
    with pytest.raises(ValueError, match="Shares of 2 classes"):
        total_variation(torch.ones(2) / 2, torch.ones(1))
