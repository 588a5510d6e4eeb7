"""Values of a column as labels."""

import datetime
import math
from decimal import Decimal

import pytest

from genlab.data.labels import NoLabels, read_labels

NAN = math.nan
LABELS = [
    (["dog", "cat", None, "dog"], [1, 0, -1, 1], ["cat", "dog"]),
    (["b", "", "  ", "a"], [1, -1, -1, 0], ["a", "b"]),
    ([0, 1, 2, 1], [0, 1, 2, 1], []),
    ([3, None, 0], [3, -1, 0], []),
    ([-1, 0, 1], [-1, 0, 1], []),
    ([-1, 1, 1], [0, 1, 1], ["-1", "1"]),
    ([-5, 7], [0, 1], ["-5", "7"]),
    ([10**12, 5, None], [1, 0, -1], ["5", "1000000000000"]),
    ([999, 0], [999, 0], []),
    ([1000, 0], [1, 0], ["0", "1000"]),
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
    found = read_labels({"train": values})
    assert found.by_split["train"].tolist() == labels
    assert found.names == names


def test_a_class_has_the_same_number_in_every_split():
    found = read_labels({"train": ["b", "c"], "test": ["a", "c"]})
    assert {name: labels.tolist() for name, labels in found.by_split.items()} == {"train": [1, 2], "test": [0, 2]}


def test_numbers_that_are_known_to_be_classes_stay_what_they_are():
    assert read_labels({"train": [-1, 2, None]}, are_classes=True).by_split["train"].tolist() == [-1, 2, -1]


REFUSED = [
    ([1.0, 0.37], "numbers that are not whole, such as 0.37"),
    ([1.0, math.inf], "not whole, such as inf"),
    ([f"picture {n}" for n in range(20)], "20 different texts for 20 images"),
    ([str(n % 11) for n in range(20)], "11 different texts"),
    ([[1], [1, 2]], "lists of 1 to 2 values"),
    ([[], []], "empty lists"),
    ([["a"], ["b"]], "lists of texts"),
    ([[0.5]], "not whole"),
    ([[[1]]], "lists of lists"),
    ([{"a": 1}], "nested values"),
    ([b"a"], "bytes"),
    ([datetime.date(2020, 1, 1)], "dates"),
    ([datetime.datetime(2020, 1, 1)], "dates"),
    ([Decimal("1.5")], "decimal numbers"),
    (["a", 1], "numbers and texts"),
    ([None, NAN, " "], "no values"),
    ([], "no values"),
]


@pytest.mark.parametrize(("values", "what"), REFUSED, ids=lambda value: str(value)[:30])
def test_values_that_are_no_labels_are_refused_with_what_they_are(values, what):
    with pytest.raises(NoLabels, match=what):
        read_labels({"train": values})
