"""What repeated measurements can tell apart: intervals of means, and a ranking that says where it does not know.

Values are scores of settings, by the seed of the run: lower is better.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.05  # of being wrong about any of the comparisons
POWER = 0.8  # with which a difference is to be found
MOST_SEEDS = 100

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
        return f"{self.mean:.4g} ± {self.half:.2g}"


def interval(values: Sequence[float]) -> Interval:
    """The mean of independent values, two or more, and half the width of its 95% interval."""
    found = np.asarray(values, dtype=float)
    half = stats.t.ppf(0.975, len(found) - 1) * found.std(ddof=1) / sqrt(len(found))
    return Interval(float(found.mean()), float(half))


def p_value(a: Scores, b: Scores) -> float:
    """Probability of means that differ at least as much as these, if the two settings are equally good.

    Student's t-test of the differences where both have the same seeds, two or more; else Welch's test, and 1 where one
    of the settings has a single seed.
    """
    t, freedom = _statistic(a, b)
    return float(2 * stats.t.sf(abs(t), freedom))


def places(settings: Sequence[Scores]) -> list[tuple[int, int]]:
    """The first and the last place that each setting may have: those that can't be told from it may change with it.

    Two settings are told apart by `p_value`, all pairs by Holm's (1979) procedure: the probability that any two of
    equal ones are is at most 5%.
    """
    n = len(settings)
    pairs = [*combinations(range(n), 2)]
    t, freedom = np.array([_statistic(settings[i], settings[j]) for i, j in pairs]).reshape(-1, 2).T
    p = 2 * stats.t.sf(abs(t), freedom)
    first, last = [1] * n, [n] * n
    for n_done, pair in enumerate(np.argsort(p)):
        if p[pair] > LEVEL / (len(pairs) - n_done):
            break
        better, worse = pairs[pair] if t[pair] < 0 else pairs[pair][::-1]
        first[worse] += 1
        last[better] -= 1
    return list(zip(first, last, strict=True))


def seeds_to_settle(a: Scores, b: Scores, n_comparisons: int = 1) -> int | None:
    """How many seeds each of two settings needs for its difference to be found in 4 of 5 cases, if it is the true one.

    By the power of the test of `p_value` (noncentral t) at 5% divided by the number of comparisons; None if it is more
    than 100, or where one of them has a single seed, which says nothing of how they vary.
    """
    if min(len(a), len(b)) < 2:
        return None
    first, second = _paired(a, b)
    difference, is_paired = abs(first.mean() - second.mean()), a.keys() == b.keys()
    spread = np.std(first - second, ddof=1) if is_paired else sqrt(first.var(ddof=1) + second.var(ddof=1))
    n = np.arange(2, MOST_SEEDS + 1)
    freedom, shift = (n - 1) * (1 if is_paired else 2), difference * np.sqrt(n) / max(spread, 1e-300)
    limit = stats.t.ppf(1 - LEVEL / n_comparisons / 2, freedom)
    enough = n[stats.nct.sf(limit, freedom, np.minimum(shift, 30)) >= POWER]  # beyond 30 it is certain
    return int(enough[0]) if len(enough) else None


def _statistic(a: Scores, b: Scores) -> tuple[float, float]:
    """Student's t, below 0 where the first is lower, and its degrees of freedom: see `p_value`."""
    if min(len(a), len(b)) < 2:
        return 0.0, 1.0
    first, second = _paired(a, b)
    with np.errstate(divide="ignore", invalid="ignore"):  # of settings that do not vary at all
        if a.keys() == b.keys():
            differences = first - second
            found = differences.mean() / differences.std(ddof=1) * sqrt(len(a)), len(a) - 1
        else:
            u, v = first.var(ddof=1) / len(a), second.var(ddof=1) / len(b)
            freedom = (u + v) ** 2 / (u**2 / (len(a) - 1) + v**2 / (len(b) - 1))
            found = (first.mean() - second.mean()) / np.sqrt(u + v), freedom
    t, freedom = np.nan_to_num(found, nan=0.0, posinf=np.inf, neginf=-np.inf)
    return float(t), max(float(freedom), 1.0)


def _paired(a: Scores, b: Scores) -> tuple[np.ndarray, np.ndarray]:
    """The values of both in the order of their seeds."""
    first, second = (np.array([scores[seed] for seed in sorted(scores, key=str)], dtype=float) for scores in (a, b))
    return first, second
