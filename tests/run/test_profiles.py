"""Averages that are put together afterwards, against those that were followed directly."""

import numpy as np
import pytest
import torch

from genlab.errors import UsageError
from genlab.run.profiles import coefficients, decay, exponent, inner_products, reconstruct, store


def test_widths_and_exponents_are_those_of_the_paper():
    assert exponent(0.05) == pytest.approx(16.97, abs=0.01)  # section 3.1
    assert exponent(0.10) == pytest.approx(6.94, abs=0.01)
    assert exponent(1 / 12**0.5) == pytest.approx(0.0, abs=1e-9)  # of a uniform distribution from 0 to 1


def test_an_average_with_a_flat_profile_is_the_mean():
    average = 0.0
    for step, value in enumerate([3.0, 5.0, 10.0], 1):
        share = 1 - decay(10, 10 * step, 0.0)
        average += share * (value - average)
    assert average == pytest.approx(6.0)


def test_inner_products_are_integrals():
    t = (np.arange(200_000) + 0.5) / 200_000
    first, second = 3 * t**2 / 0.5**3 * (t < 0.5), 6 * t**5
    by_hand = (first * second).mean()
    found = inner_products(np.array([0.5]), np.array([2.0]), np.array([1.0]), np.array([5.0]))
    assert found.item() == pytest.approx(by_hand, rel=1e-4)
    back = inner_products(np.array([1.0]), np.array([5.0]), np.array([0.5]), np.array([2.0]))
    assert back.item() == pytest.approx(by_hand, rel=1e-4)


def test_a_stored_average_is_put_together_from_itself_alone():
    found, off = coefficients([50.0, 100.0], [exponent(0.1)] * 2, 100.0, exponent(0.1))
    assert found == pytest.approx([0.0, 1.0], abs=1e-6)
    assert off == pytest.approx(0.0, abs=1e-6)


def followed(values, *widths):
    """Averages of a number that takes these values, one an image, at each time, (widths, times)."""
    averages, result = np.zeros(len(widths)), []
    for t, value in enumerate(values, 1):
        shares = [1 - decay(1, t, exponent(width)) for width in widths]
        averages = averages + np.array(shares) * (value - averages)
        result.append(averages)
    return np.array(result).T


@pytest.mark.parametrize("width", [0.03, 0.07, 0.12, 0.2])
def test_an_average_that_is_put_together_is_that_which_was_followed(width, tmp_path):
    """Of a noisy number that drifts, of which averages were stored 20 times."""
    values = np.sin(np.arange(2000) / 300) + np.random.default_rng(0).normal(size=2000)
    small, large, wanted = followed(values, 0.05, 0.1, width)
    for t in range(100, 2001, 100):
        parts = {w: {"net.weight": torch.tensor([part[t - 1]]).float()} for w, part in ((0.05, small), (0.1, large))}
        store(tmp_path / "profiles", t, parts)
    weights, off = reconstruct(tmp_path, width, 2000)
    assert weights["net.weight"].item() == pytest.approx(wanted[-1], abs=0.02)
    assert off < 0.1
    assert abs(values[-1] - wanted[-1]) > 0.1
    before, _ = reconstruct(tmp_path, width, 1050)  # up to an earlier checkpoint
    assert before["net.weight"].item() == pytest.approx(wanted[999], abs=0.03)


def test_too_few_stored_averages_are_noticed():
    found, off = coefficients([100.0, 100.0], [exponent(0.05), exponent(0.1)], 100.0, exponent(0.25))
    assert off > 0.1
    assert found.shape == (2,)


def test_counters_are_the_newest_and_variances_not_negative(tmp_path):
    for t, variance in ((50, 100.0), (100, 1e-6)):
        average = {"n": torch.tensor(t), "norm.running_var": torch.tensor([variance])}
        store(tmp_path / "profiles", t, {0.05: average, 0.1: average})
    weights, _ = reconstruct(tmp_path, 0.02, 100)
    assert weights["n"] == 100
    assert weights["norm.running_var"].item() >= 0


def test_a_run_without_stored_averages_says_how_to_train_one_with_them(tmp_path):
    with pytest.raises(UsageError, match=r"holds none: train with \"callbacks=\[without_encoder,posthoc\]\""):
        reconstruct(tmp_path, 0.1, 100)
