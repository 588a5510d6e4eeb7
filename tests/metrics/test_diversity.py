"""How varied samples are."""

import pytest
import torch

from genlab.metrics import class_shares, feature_diversity, total_variation
from genlab.metrics.diversity import distinctness, diversity, saturation
from genlab.moments import Moments


def moments_of(features: torch.Tensor) -> Moments:
    moments = Moments(features.shape[1], torch.float64)
    moments.update(features)
    return moments


def mean_squared_distance(features: torch.Tensor) -> float:
    """Over pairs of different vectors."""
    n = len(features)
    return (features[:, None] - features).double().square().sum(2).sum().item() / (n * (n - 1))


def test_diversity_of_features_is_the_ratio_of_mean_squared_distances_over_pairs(generator):
    samples, reference = torch.randn(30, 4, generator=generator) + 7, 2 * torch.randn(50, 4, generator=generator)
    expected = mean_squared_distance(samples) / mean_squared_distance(reference)
    assert feature_diversity(moments_of(samples), moments_of(reference)) == pytest.approx(expected, rel=1e-6)


def test_data_are_as_varied_as_themselves_half_as_wide_ones_a_quarter_and_collapsed_ones_not_at_all(generator):
    data = torch.randn(30, 4, generator=generator)
    assert feature_diversity(moments_of(data), moments_of(data)) == 1
    assert feature_diversity(moments_of(data / 2), moments_of(data)) == pytest.approx(1 / 4)
    assert feature_diversity(moments_of(data[:1].expand(30, 4)), moments_of(data)) == pytest.approx(0, abs=1e-12)


def test_sets_that_have_no_spread_to_compare_are_refused(generator):
    data = moments_of(torch.randn(30, 4, generator=generator))
    for samples, reference in ((moments_of(torch.zeros(1, 4)), data), (data, moments_of(torch.zeros(1, 4)))):
        with pytest.raises(ValueError, match="at least two vectors"):
            feature_diversity(samples, reference)
    with pytest.raises(ValueError, match="all alike"):
        feature_diversity(data, moments_of(torch.zeros(3, 4)))


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


def pictures(*levels: float) -> torch.Tensor:
    """One picture of a single pixel a level."""
    return torch.tensor(levels).view(-1, 1, 1, 1)


def test_diversity_is_the_ratio_of_variances_and_of_squared_distances():
    assert diversity(pictures(0, 2), pictures(0, 4)).item() == 1 / 4  # variances 1 and 4, squared distances 4 and 16
    assert diversity(pictures(0, 3, 6), pictures(0, 1, 2)).item() == pytest.approx(9)


def test_diversity_sums_over_pixels(generator):
    x = torch.randn(50, 3, 4, 4, generator=generator)
    assert diversity(x.flip(0), x).item() == pytest.approx(1)
    half = x.clone()
    half[:, :, :2] = 0  # half of the pixels don't vary
    assert diversity(half, x).item() == pytest.approx(x[:, :, 2:].var(0).sum().item() / x.var(0).sum().item())


def test_samples_that_are_all_one_image_have_no_diversity_whatever_the_image():
    assert diversity(pictures(0.3, 0.3, 0.3, 0.3), pictures(0, 1, 2, 3)).item() == 0


def test_copies_of_two_images_are_diverse_and_not_distinct():
    samples, images = pictures(0, 3, 0, 3), pictures(0, 1, 2, 3)
    assert diversity(samples, images).item() == pytest.approx(2.25 / 1.25)
    assert distinctness(samples, images).item() == 0


def test_distinctness_compares_squared_distances_to_the_nearest():
    assert distinctness(pictures(0, 0.5, 1, 1.5), pictures(0, 1, 2, 3)).item() == pytest.approx(0.25)
    assert distinctness(pictures(3, 1, 2, 0), pictures(0, 1, 2, 3)).item() == 1


def test_images_without_variance_give_no_number():
    assert diversity(pictures(0, 1), pictures(1, 1)).isinf()
    assert distinctness(pictures(1, 1), pictures(1, 1)).isnan()


def test_saturation_is_what_exceeds_the_data_s_own_share_at_each_end():
    images = pictures(-1, -1, 0, 0.5)  # half black
    assert saturation(images, images).item() == 0
    assert saturation(pictures(-1, -1, -1, -1), images).item() == 0.5
    assert saturation(pictures(1, 1, 1, 1), images).item() == 1
    assert saturation(pictures(-1, -1, 1, 0), images).item() == 0.25
    assert saturation(pictures(0, 0, 0, 0), images).item() == 0


def test_black_and_white_samples_of_black_and_white_data_are_not_saturated():
    images = pictures(-1, -1, -1, 1)
    assert saturation(pictures(1, -1, -1, -1), images).item() == 0
    assert saturation(pictures(1, 1, 1, 1), images).item() == 0.75
