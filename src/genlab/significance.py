"""What repeated measurements can tell apart: intervals of means, and a ranking that says where it does not know.

Values are scores of settings, by the seed of the run: lower is better.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import copysign, inf, log, sqrt
from statistics import fmean, variance
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from genlab.console import plus_minus

LEVEL = 0.05  # of being wrong about any of the comparisons
POWER = 0.8  # with which a difference is to be found
MOST_SEEDS = 100
# Of the variance that settings share. With many more, a model that varies much with its seeds would be told from its
# equals by how little the others do; tests/test_significance.py draws such tables.
PRIOR_FREEDOM = 4

Scores = Mapping[Any, float]  # by the seed


class Interval(NamedTuple):
    """A mean with half the width of its 95% interval, by Student's t."""

    mean: float
    half: float

    @property
    def low(self) -> float:
        return self.mean - self.half

    @property
    def high(self) -> float:
        return self.mean + self.half

    def __str__(self) -> str:
        return f"{self.mean:.4g}{plus_minus(self.half)}"


def interval(values: Sequence[float]) -> Interval:
    """The mean of independent values, two or more, and half the width of its 95% interval."""
    found = np.asarray(values, dtype=float)
    half = stats.t.ppf(0.975, len(found) - 1) * found.std(ddof=1) / sqrt(len(found))
    return Interval(float(found.mean()), float(half))


class Difference(NamedTuple):
    """What two settings differ by: the first minus the second, negative where the first is better.

    Attributes:
        mean: of the values of several seeds, or of their logarithms.
        variance: of the difference with one seed.
        n: how many seeds it is a mean of: the harmonic mean where one setting has more than the other, and less than
            two where one has a single seed, by which nothing is told.
        freedom: degrees of freedom of the variance.
    """

    mean: float
    variance: float
    n: float
    freedom: float

    @property
    def t(self) -> float:
        if self.n < 2 or self.mean == 0:
            return 0.0
        return self.mean / sqrt(self.variance / self.n) if self.variance > 0 else copysign(inf, self.mean)

    @property
    def interval(self) -> Interval:
        """The mean with its 95% interval, for this pair alone."""
        return Interval(self.mean, float(stats.t.ppf(0.975, self.freedom)) * sqrt(self.variance / self.n))


def differences(settings: Sequence[Scores]) -> dict[tuple[int, int], Difference]:
    """Compare all pairs of settings, by their numbers, the lower first.

    Logarithms are compared where all values are above 0: the scores of worse models vary more. Three seeds alone say
    little of how a pair varies, so its own variance is moderated by the one that all settings share (Smyth 2004,
    section 4), which counts as `PRIOR_FREEDOM` degrees of freedom: the variance is the mean of both, each weighted by
    its degrees, and has their sum, or what all seeds together give if that is less. A pair's own variance is of its
    differences where both have the same seeds, else of the difference of their means (Welch); the shared one is of what
    settings and seeds leave unexplained where all have the same seeds, else of the seeds within settings. Two settings
    of the same seeds are thus compared by Student's t-test of their differences.
    """
    compare = _comparison(settings)
    return {(i, j): compare(i, j) for i, j in combinations(range(len(settings)), 2)}


def places(settings: Sequence[Scores]) -> list[tuple[int, int]]:
    """The first and the last place that each setting may have: those that can't be told from it may change with it.

    Two settings are told apart by Student's t of their `differences`, all pairs by Holm's (1979) procedure: the
    probability that any two of equal ones are is at most 5%.
    """
    n, found = len(settings), differences(settings)
    t, freedom = (np.array([getattr(pair, name) for pair in found.values()]) for name in ("t", "freedom"))
    p = 2 * stats.t.sf(abs(t), freedom)
    first, last = [1] * n, [n] * n
    for n_done, pair in enumerate(np.argsort(p)):
        if p[pair] > LEVEL / (len(p) - n_done):
            break
        better, worse = [*found][pair] if t[pair] < 0 else [*found][pair][::-1]
        first[worse] += 1
        last[better] -= 1
    return list(zip(first, last, strict=True))


def seeds_to_settle(settings: Sequence[Scores], one: int, other: int) -> int | None:
    """How many seeds all settings need for the difference of two to be found in 4 of 5 cases, if it is the true one.

    By the power of the test of `places` (noncentral t) at 5% divided by the number of pairs; None if it is more than
    100, or where one of the two has a single seed, which says nothing of how it varies.
    """
    pair, n_settings = _comparison(settings)(min(one, other), max(one, other)), len(settings)
    if pair.n < 2:
        return None
    n = np.arange(2, MOST_SEEDS + 1)
    freedom = np.minimum(PRIOR_FREEDOM + n - 1, (n_settings - 1) * (n - 1))
    shift = abs(pair.mean) * np.sqrt(n / max(pair.variance, 1e-300))
    limit = stats.t.ppf(1 - LEVEL / (n_settings * (n_settings - 1) / 2) / 2, freedom)
    enough = n[stats.nct.sf(limit, freedom, np.minimum(shift, 30)) >= POWER]  # beyond 30 it is certain
    return int(enough[0]) if len(enough) else None


def _comparison(settings: Sequence[Scores]) -> Callable[[int, int], Difference]:
    """What compares two of the settings, by their numbers: see `differences`."""
    is_positive = all(value > 0 for scores in settings for value in scores.values())
    values = [{seed: log(value) if is_positive else value for seed, value in scores.items()} for scores in settings]
    shared, most = _shared_variance([scores for scores in values if len(scores) > 1])
    return lambda i, j: _difference(values[i], values[j], shared, most)


def _shared_variance(values: Sequence[Scores]) -> tuple[float, int]:
    """The variance of a value that settings of two or more seeds have in common, and its degrees of freedom."""
    if len(values) > 1 and all(scores.keys() == values[0].keys() for scores in values):
        table = np.array([[scores[seed] for seed in values[0]] for scores in values])
        rest = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
        freedom = (len(table) - 1) * (table.shape[1] - 1)
    else:
        rest = np.concatenate([[0.0], *(np.array([*own.values()]) - fmean(own.values()) for own in values)])
        freedom = sum(len(scores) - 1 for scores in values)
    return float((rest**2).sum()) / max(freedom, 1), freedom


def _difference(a: Scores, b: Scores, shared: float, most: int) -> Difference:
    """Compare two settings, whose values have a shared variance of so many degrees of freedom at most."""
    mean, n = fmean(a.values()) - fmean(b.values()), 2 / (1 / len(a) + 1 / len(b))
    if min(len(a), len(b)) < 2:
        return Difference(mean, 2 * shared, n, 1)
    if a.keys() == b.keys():
        own, freedom = variance([a[seed] - b[seed] for seed in a]), len(a) - 1.0
    else:
        u, v = variance(a.values()) / len(a), variance(b.values()) / len(b)
        own = n * (u + v)
        freedom = (u + v) ** 2 / (u**2 / (len(a) - 1) + v**2 / (len(b) - 1)) if own > 0 else 1.0
    moderated = (PRIOR_FREEDOM * 2 * shared + freedom * own) / (PRIOR_FREEDOM + freedom)
    return Difference(mean, moderated, n, max(1.0, min(PRIOR_FREEDOM + freedom, most)))
