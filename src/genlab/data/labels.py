"""A column of a table as labels: numbers of classes, or vectors of numbers; -1 where there is none."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from genlab.data.decode import UNLABELLED

FEW = 20  # images of which any number of classes is believed
DENSE = 1000  # numbers below that, or below the number of images, are numbers of classes

Column = Mapping[str, Sequence[Any]]  # the values of each split


class Labels(NamedTuple):
    """Labels by the split, (N,) or (N, entries), and the names of the classes or the entries, if they have any."""

    by_split: dict[str, np.ndarray]
    names: list[str]


WORDS = {
    "bytes": "bytes",
    "date": "dates",
    "datetime": "dates",
    "Decimal": "decimal numbers",
    "dict": "nested values",
    "float": "numbers",
    "int": "numbers",
    "list": "lists",
    "str": "texts",
}


class NoLabels(Exception):
    """Values that can't be labels; the text says what they are."""


def read_labels(column: Column, are_classes: bool = False) -> Labels:
    """Turn values into labels: texts, truth values and odd numbers become classes, in their order.

    None, NaN and texts of blanks are no labels.

    Args:
        column: the values.
        are_classes: whether they are known to be numbers of classes.

    Raises:
        NoLabels: if the values are of another kind, of several ones, or all of them are missing.
    """
    known = [value for values in column.values() for value in values if not _is_missing(value)]
    kinds = {type(value) for value in known}
    if not kinds:
        raise NoLabels("no values")
    if kinds <= {list, np.ndarray}:
        return Labels(_vectors(column, known), [])
    if kinds <= {int, float}:
        numbers = {name: [_whole(value) for value in values] for name, values in column.items()}
        if are_classes or _are_classes([number for part in numbers.values() for number in part]):
            return Labels({name: _array(part) for name, part in numbers.items()}, [])
        return _numbered(numbers, {_whole(value) for value in known})
    if kinds == {bool}:
        return _numbered(column, (False, True))
    if kinds == {str}:
        n_texts, n_images = len(set(known)), sum(map(len, column.values()))
        if n_images >= FEW and 2 * n_texts > n_images:
            raise NoLabels(f"{n_texts:,} different texts for {n_images:,} images")
        return _numbered(column, set(known))
    raise NoLabels(" and ".join(sorted({WORDS.get(kind.__name__, kind.__name__) for kind in kinds})))


def truths(columns: Mapping[str, Column]) -> Labels:
    """Turn columns of truth values, by their names, into vectors."""
    splits = next(iter(columns.values()))
    by_split = {name: np.stack([_array(column[name]) for column in columns.values()], 1) for name in splits}
    return Labels(by_split, list(columns))


def unlabelled(sizes: Mapping[str, int]) -> Labels:
    """No labels for splits of some sizes."""
    return Labels({name: np.full(size, UNLABELLED) for name, size in sizes.items()}, [])


def _is_missing(value: Any) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float) and math.isnan(value))


def _whole(value: Any) -> int | None:
    if _is_missing(value):
        return None
    if not float(value).is_integer():
        raise NoLabels(f"numbers that are not whole, such as {value}")
    return int(value)


def _are_classes(numbers: Sequence[int | None]) -> bool:
    """Whether numbers count classes already; -1 is then what the hub writes where there is none."""
    known = {number for number in numbers if number is not None}
    low = UNLABELLED if 0 in known else 0
    return low <= min(known) and max(known) < max(len(numbers), DENSE)


def _numbered(column: Column, classes: Iterable[Any]) -> Labels:
    values = sorted(classes)
    numbers = {value: number for number, value in enumerate(values)}
    by_split = {name: _array([numbers.get(value) for value in part]) for name, part in column.items()}
    return Labels(by_split, [str(value) for value in values])


def _vectors(column: Column, known: Sequence[Any]) -> dict[str, np.ndarray]:
    lengths = sorted({len(value) for value in known})
    if len(lengths) > 1 or not lengths[0]:
        raise NoLabels(f"lists of {lengths[0]} to {lengths[-1]} values" if lengths[-1] else "empty lists")
    for entry in (entry for value in known for entry in value):
        if not isinstance(entry, int | float | None):
            raise NoLabels(f"lists of {WORDS.get(type(entry).__name__, type(entry).__name__)}")
    nothing = [None] * lengths[0]
    return {
        name: np.stack([_array([_whole(entry) for entry in (nothing if row is None else row)]) for row in rows])
        for name, rows in column.items()
    }


def _array(labels: Sequence[Any]) -> np.ndarray:
    return np.array([UNLABELLED if label is None else label for label in labels], np.int64)
