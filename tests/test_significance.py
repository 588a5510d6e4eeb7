"""Intervals and places, by numbers derived by hand and on settings that are equal."""

from math import sqrt

import numpy as np
import pytest

from genlab.significance import interval, p_value, places, seeds_to_settle


def scores(*values):
    return dict(enumerate(values))


def test_the_interval_of_three_values_is_students_t_times_their_standard_error():
    assert interval([1.0, 2.0, 3.0]) == (2.0, pytest.approx(4.302653 / sqrt(3)))
    assert str(interval([1.0, 2.0, 3.0])) == "2 ± 2.5"


def test_settings_with_the_same_seeds_are_compared_by_their_differences():
    """The differences 1.1, 1.0, 1.2 have t = 1.1 sqrt(3) / 0.1, and for two of freedom p = 1 - t / sqrt(t^2 + 2)."""
    t = 11 * sqrt(3)
    assert p_value(scores(1.0, 2.0, 3.0), scores(2.1, 3.0, 4.2)) == pytest.approx(1 - t / sqrt(t**2 + 2))


def test_settings_with_other_seeds_are_compared_by_their_means_alone():
    paired = p_value(scores(1.0, 2.0, 3.0), scores(2.1, 3.0, 4.2))
    assert p_value(scores(1.0, 2.0, 3.0), {7: 2.1, 8: 3.0, 9: 4.2}) > 0.1 > paired


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (scores(1.0), scores(9.0, 9.1), 1.0),
        (scores(1.0, 1.0), scores(1.0, 1.0), 1.0),
        (scores(1.0, 1.0), scores(2.0, 2.0), 0.0),
        (scores(1.0, 5.0), scores(2.0, 6.0), 0.0),
    ],
    ids=["a single seed", "all equal", "without spread", "a constant difference"],
)
def test_what_has_no_spread_needs_no_test(a, b, expected):
    assert p_value(a, b) == expected


def test_a_setting_shares_the_places_of_those_it_is_not_told_from():
    best, second, between = scores(1.0, 2.0, 3.0), scores(2.1, 3.0, 4.2), scores(2.0, 2.5, 3.1)
    assert places([best, second]) == [(1, 1), (2, 2)]
    assert places([best, between, second]) == [(1, 2), (1, 3), (2, 3)]
    assert places([second]) == [(1, 1)]


def test_the_more_pairs_are_compared_the_smaller_a_difference_must_be_unlikely():
    """Differences 1, 2 and 3 have p = 0.074; 2.5, 3 and 3.5 have p = 0.0091, above a sixth of 5%."""
    base, near = scores(0.0, 0.0, 0.0), scores(2.5, 3.0, 3.5)
    assert places([base, near]) == [(1, 1), (2, 2)]
    others = [scores(0.0, 4.0, 1.0), scores(5.0, 0.0, 2.0)]
    assert places([base, near, *others])[:2] == [(1, 4), (1, 4)]


def test_equal_settings_are_told_apart_in_at_most_5_percent_of_sweeps():
    noise = np.random.default_rng(0).normal(size=(100, 4, 3))
    wrong = sum(places([scores(*values) for values in sweep]) != [(1, 4)] * 4 for sweep in noise)
    assert wrong <= 12  # of 100, of which 5 are expected and 13 or more have a probability of 1 in 1,000


def test_the_seeds_that_settle_a_difference_are_those_of_the_normal_approximation():
    """((1.96 + 0.84) / d)^2 for a difference of d standard deviations, and one or two more for Student's t."""
    base, third = scores(0.0, 0.0, 0.0), np.array([-1.0, 0.0, 1.0]) + 1 / 3
    assert 71 <= seeds_to_settle(base, scores(*third)) <= 75
    assert seeds_to_settle(base, scores(*third), n_comparisons=10) is None  # (2.81 + 0.84)^2 * 9 = 120
    assert seeds_to_settle(scores(1.0), scores(2.0, 3.0)) is None
    assert seeds_to_settle(base, scores(10.0, 10.1, 9.9)) == 2
