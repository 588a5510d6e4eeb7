"""Intervals and places, by numbers derived by hand and on settings that are equal."""

from math import inf, sqrt

import numpy as np
import pytest

from genlab.significance import differences, interval, places, seeds_to_settle


def scores(*values):
    return dict(enumerate(values))


def test_the_interval_of_three_values_is_students_t_times_their_standard_error():
    assert interval([1.0, 2.0, 3.0]) == (2.0, pytest.approx(4.302653 / sqrt(3)))
    assert str(interval([1.0, 2.0, 3.0])) == "2 ± 2.5"
    assert str(interval([100.0, 200.0, 300.0])) == "200 ± 248"


def t_and_freedom(a, b, *others):
    found = differences([a, b, *others])[0, 1]
    return found.t, found.freedom


def test_two_settings_with_the_same_seeds_are_compared_by_their_differences():
    """In logarithms these are 1.1, 1.0 and 1.2: a mean of 1.1, a standard deviation of 0.1."""
    assert t_and_freedom(scores(*np.exp([2.1, 3.0, 4.2])), scores(*np.exp([1.0, 2.0, 3.0]))) == pytest.approx(
        (1.1 * sqrt(3) / 0.1, 2)
    )


def test_values_that_are_not_all_above_0_are_compared_as_they_are():
    assert t_and_freedom(scores(0.0, 1.0, 2.0), scores(1.1, 2.0, 3.2)) == pytest.approx((-1.1 * sqrt(3) / 0.1, 2))


def test_settings_with_other_seeds_are_compared_by_their_means_alone():
    """Each has a variance of 1 (Welch: 4 degrees of freedom), which the shared one is too: 1.1 / sqrt(2 / 3)."""
    assert t_and_freedom(scores(0.0, 1.0, 2.0), {7: 1.1, 8: 2.1, 9: 3.1}) == pytest.approx((-1.1 / sqrt(2 / 3), 4))


def test_the_variance_of_a_pair_is_moderated_by_that_of_all_settings():
    """The differences of the first two are 5, 5 and 5; what settings and seeds leave unexplained is by hand

    (-2, 1, 1) / 3 twice and (4, -2, -2) / 3 in thirds of 3, of 4 degrees of freedom: 4 (shared) and 2 (own) of them are
    more than the 4 that there are.
    """
    table = np.array([[0.0, 0, 0], [5, 5, 5], [3, 0, 0]])
    rest = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
    assert rest == pytest.approx(np.array([[-2, 1, 1], [-2, 1, 1], [4, -2, -2]]) / 3)
    variance = (4 * 2 * (36 / 9) / 4 + 2 * 0) / 6
    assert t_and_freedom(*(scores(*row) for row in table)) == pytest.approx((-5 / sqrt(variance / 3), 4))


def test_six_degrees_of_freedom_are_the_most_that_three_seeds_have():
    table = np.random.default_rng(0).normal(size=(9, 3))
    assert t_and_freedom(*(scores(*row) for row in table))[1] == 6


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (scores(1.0), scores(9.0, 9.1), 0.0),
        (scores(1.0, 1.0), scores(1.0, 1.0), 0.0),
        (scores(1.0, 1.0), scores(2.0, 2.0), -inf),
        (scores(0.0, 5.0), scores(1.0, 6.0), -inf),
        (scores(1.0, 1.0), {4: 2.0, 5: 2.0}, -inf),
    ],
    ids=["a single seed", "all equal", "without spread", "a constant difference", "nor with other seeds"],
)
def test_what_has_no_spread_needs_no_test(a, b, expected):
    assert t_and_freedom(a, b)[0] == expected


def test_the_interval_of_a_difference_leaves_0_out_where_its_test_finds_it():
    found = differences([scores(0.0, 1.0, 2.0), scores(-1.1, 0.0, 0.8)])[0, 1]
    assert found.interval == pytest.approx((1.1, 4.302653 * 0.1 / sqrt(3)))


def test_a_setting_shares_the_places_of_those_it_is_not_told_from():
    best, second, between = scores(0.0, 1.0, 0.2), scores(4.0, 4.3, 4.9), scores(3.0, 1.0, 2.7)
    assert places([best, second]) == [(1, 1), (2, 2)]
    assert places([best, between, second]) == [(1, 2), (1, 3), (2, 3)]
    assert places([second]) == [(1, 1)]


def test_the_more_pairs_are_compared_the_smaller_a_difference_must_be_unlikely():
    """Differences 2.5, 3 and 3.5 have p = 0.0091 in a table of two; in one of four they may vary as the others do."""
    base, near = scores(0.0, 0.0, 0.0), scores(2.5, 3.0, 3.5)
    assert places([base, near]) == [(1, 1), (2, 2)]
    others = [scores(0.0, 4.0, 1.0), scores(5.0, 0.0, 2.0)]
    assert places([base, near, *others])[:2] == [(1, 4), (1, 4)]


def test_settings_far_apart_are_told_by_what_all_of_them_know_of_seeds():
    """Three seeds of two settings alone are paired with two degrees of freedom, which 105 pairs leave nothing of."""
    table = np.exp(np.random.default_rng(0).normal(size=(15, 3)) * 0.05 + np.arange(15)[:, None])
    assert places([scores(*row) for row in table]) == [(n, n) for n in range(1, 16)]


@pytest.mark.parametrize("n_settings", [2, 4, 15])
def test_equal_settings_are_told_apart_in_at_most_5_percent_of_sweeps(n_settings):
    """Also where some settings vary far more than others: variances are as those that were found (3 for 4.7)."""
    generator = np.random.default_rng(0)
    deviations = 0.05 * np.sqrt(3 / generator.chisquare(3, size=(100, n_settings, 1)))
    noise = np.exp(generator.normal(size=(100, n_settings, 3)) * deviations)
    wrong = sum(places([scores(*values) for values in sweep]) != [(1, n_settings)] * n_settings for sweep in noise)
    assert wrong <= 12  # of 100, of which 5 are expected and 13 or more have a probability of 1 in 1,000


def test_the_seeds_that_settle_a_difference_are_those_of_the_normal_approximation():
    """((1.96 + 0.84) / d)^2 for a difference of d standard deviations, and one or two more for Student's t."""
    base, third = scores(0.0, 0.0, 0.0), scores(*np.array([-1.0, 0.0, 1.0]) + 1 / 3)
    assert 71 <= seeds_to_settle([base, third], 0, 1) <= 75
    # In this table the shared variance of a difference is 2/3, and with the own one, 1, it makes 7/9.
    assert 84 <= seeds_to_settle([base, third, third, base], 0, 1) <= 89  # (2.64 + 0.84)^2 * 9 * 7/9 = 85
    assert seeds_to_settle([base, scores(*np.array([-1.0, 0.0, 1.0]) + 1 / 4)], 0, 1) is None  # 2.8^2 * 16 = 125
    assert seeds_to_settle([scores(1.0), scores(2.0, 3.0)], 1, 0) is None
    assert seeds_to_settle([base, scores(10.0, 10.1, 9.9)], 0, 1) == 2
