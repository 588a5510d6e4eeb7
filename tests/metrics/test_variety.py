"""Variety in numbers that can be checked by hand."""

import pytest
import torch

from genlab.metrics.variety import distinctness, diversity, saturation


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
