"""Values of a column as labels."""

import datetime
import math
from decimal import Decimal

import pytest

from genlab.data.columns import NoLabels, read_labels

NAN = math.nan
LABELS = [
    (["dog", "cat", None, "dog"], [1, 0, -1, 1], ["cat", "dog"]),
    (["b", "", "  ", "a"], [1, -1, -1, 0], ["a", "b"]),
    ([0, 1, 2, 1], [0, 1, 2, 1], []),
    ([3, None, 0], [3, -1, 0], []),
    ([-1, 0, 1], [-1, 0, 1], []),
    ([10**12, 5, None], [10**12, 5, -1], []),
    ([1.0, NAN, 0.0], [1, -1, 0], []),
    ([True, False, None], [1, 0, -1], ["False", "True"]),
    ([True, True], [1, 1], ["False", "True"]),
    ([[0, 1], [1, None], None], [[0, 1], [1, -1], [-1, -1]], []),
    ([[True, False], [True, True]], [[1, 0], [1, 1]], []),
    ([[1.0, 0.0]], [[1, 0]], []),
    ([str(n % 10) for n in range(20)], [n % 10 for n in range(20)], [str(n) for n in range(10)]),
    (list("abc"), [0, 1, 2], ["a", "b", "c"]),
]


@pytest.mark.parametrize(("values", "labels", "names"), LABELS, ids=lambda value: str(value)[:30])
def test_values_become_labels(values, labels, names):
    found, found_names = read_labels(values)
    assert found.tolist() == labels
    assert found_names == names


REFUSED = [
    ([1.0, 0.37], "numbers that are not whole, such as 0.37"),
    ([1.0, math.inf], "not whole, such as inf"),
    ([[1], [1, 2]], "lists of different lengths"),
    ([[], []], "empty lists"),
    ([["a"], ["b"]], "or of no numbers"),
    ([[0.5]], "not whole"),
    ([[[1]]], "nested"),
    ([b"a"], "bytes"),
    ([datetime.date(2020, 1, 1)], "a date"),
    ([datetime.datetime(2020, 1, 1)], "a datetime"),
    ([Decimal("1.5")], "not whole"),
    (["a", 1], "a mixed-integer"),
    ([None, NAN, " "], "no values"),
    ([], "no values"),
]


@pytest.mark.parametrize(("values", "what"), REFUSED, ids=lambda value: str(value)[:30])
def test_values_that_are_no_labels_are_refused_with_what_they_are(values, what):
    with pytest.raises(NoLabels, match=what):
        read_labels(values)
