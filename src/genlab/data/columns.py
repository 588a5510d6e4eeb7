"""Which columns of a table of the hub hold images and labels, and what is in them."""

import logging
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from genlab.data.decode import UNLABELLED
from genlab.data.view import opened
from genlab.errors import UsageError, unknown

log = logging.getLogger(__name__)

NONE = "none"  # as data.label_column: no labels
SMALLEST = 8  # pixels a side: smaller arrays of numbers are no images
FEW = 20  # images of which any number of classes is believed
DENSE = 1000  # numbers below that, or below the number of images, are numbers of classes

Labels = tuple[np.ndarray, list[str]]  # (N,) or (N, entries); names of the classes or the entries, if they have any


class NoLabels(Exception):
    """Values that can't be labels; the text says what they are."""


class StoredImages:
    """A column of a table as what a `View` can open.

    Args:
        table: a `datasets.Dataset`.
        column: with files, bytes, paths or arrays.
        folder: from which a path may start.
    """

    def __init__(self, table: Any, column: str, folder: Path) -> None:
        import datasets

        self.column, self.folder, self.table = column, folder, table.select_columns(column)
        if isinstance(table.features[column], datasets.Image):
            self.table = self.table.cast_column(column, datasets.Image(decode=False))

    def __getitem__(self, row: int) -> Any:
        """Raise a UsageError if there is no image."""
        value = self.table[row][self.column]
        if isinstance(value, dict):
            value = value.get("bytes") or value.get("path")
        if value is None or (isinstance(value, str | bytes) and not value):
            raise UsageError("there is no image")
        if isinstance(value, str):
            return self.folder / value if (self.folder / value).is_file() else value
        return _from_levels(np.asarray(value)) if isinstance(value, list | np.ndarray) else value


def _from_levels(levels: np.ndarray) -> Image.Image:
    """An array (H, W), (H, W, C) or (C, H, W) as an image."""
    if levels.ndim == 3 and levels.shape[0] in (1, 3, 4) and levels.shape[2] not in (1, 3, 4):
        levels = levels.transpose(1, 2, 0)
    if levels.ndim == 3 and levels.shape[2] == 1:
        levels = levels[:, :, 0]
    if levels.ndim not in (2, 3) or min(levels.shape[:2]) < SMALLEST or levels.dtype.kind not in "biuf":
        raise UsageError("it is no image")
    if levels.dtype.kind in "biu" and levels.min() >= 0 and levels.max() <= 255:
        return Image.fromarray(np.ascontiguousarray(levels, np.uint8))
    return Image.fromarray(levels.astype(np.float32 if levels.dtype.kind == "f" else np.int32))


def choose_images(table: Any, folder: Path) -> str:
    """Return the name of the first column of type image, or else of the first one that holds any.

    Raises:
        UsageError: if there is none.
    """
    import datasets

    kinds = table.features
    found = chain(
        (name for name, kind in kinds.items() if isinstance(kind, datasets.Image)),
        (name for name, kind in kinds.items() if isinstance(kind, dict) and "bytes" in kind),
        (name for name in kinds if _holds_images(table, name, folder)),
    )
    if (name := next(found, None)) is None:
        raise UsageError(
            "No column holds images, nor paths to any: type the one that does, as data.image_column=NAME. Valid: "
            f"{', '.join(kinds)}."
        )
    return name


def _holds_images(table: Any, column: str, folder: Path) -> bool:
    """Whether the first value that there is can be opened."""
    row = next((row for row, value in enumerate(table[column]) if value is not None), 0)
    try:
        with opened(StoredImages(table, column, folder)[row]):
            return True
    except Exception:  # whatever Pillow, NumPy and the file system say of what is no image
        return False


def choose_labels(table: Any, wanted: str | None) -> Labels:
    """Return the labels of the wanted column, or of one that looks like classes, or none.

    Raises:
        UsageError: if the wanted column is not there, or holds what can't be labels.
    """
    import datasets

    kinds = table.features
    if wanted is not None and wanted not in (*kinds, NONE):
        choices = unknown("data.label_column", wanted, list(kinds))
        raise UsageError(f"{choices} data.label_column={NONE} takes no labels.")
    classes = [name for name, kind in kinds.items() if isinstance(kind, datasets.ClassLabel)]
    classes += [name for name in ("label", "labels") if name in kinds]
    truths = [name for name, kind in kinds.items() if getattr(kind, "dtype", None) == "bool"]
    chosen = wanted or next(iter(classes), None)
    if chosen not in (None, NONE):
        try:
            return _labels(table, str(chosen))
        except NoLabels as error:
            if wanted is not None:
                raise UsageError(
                    f"data.label_column={wanted} holds {error}, which can't be labels. Columns: {', '.join(kinds)}; "
                    f"data.label_column={NONE} takes no labels."
                ) from None
            log.warning("No labels are taken: the column %s holds %s.", chosen, error)
    elif chosen is None and truths:
        values = table.select_columns(truths).to_pandas().astype("boolean")
        return _filled(values.astype("Int64")), truths
    return np.full(len(table), UNLABELLED), []


def _labels(table: Any, column: str) -> Labels:
    import datasets

    kind = table.features[column]
    if isinstance(kind, datasets.Image | dict):
        raise NoLabels("images" if isinstance(kind, datasets.Image) else "nested values")
    labels, names = read_labels(table[column][:], are_classes=isinstance(kind, datasets.ClassLabel))
    return labels, list(kind.names) if isinstance(kind, datasets.ClassLabel) else names


def read_labels(values: Sequence[Any], are_classes: bool = False) -> Labels:
    """Turn values into labels: texts, truth values and odd numbers become classes, in their order.

    None, NaN and texts of blanks are no labels: they become -1.

    Args:
        values: the column.
        are_classes: whether they are known to be numbers of classes.

    Raises:
        NoLabels: if the values are of another kind, of several ones, or all of them are missing.
    """
    column = pd.Series(values, dtype=object)
    column = column.mask(column.map(lambda value: isinstance(value, str) and not value.strip()).astype(bool))
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if column.isna().all():
        raise NoLabels("no values")
    if kind == "boolean":
        return _filled(column.astype("boolean").astype("Int64")), ["False", "True"]
    if kind in ("integer", "floating", "mixed-integer-float"):
        numbers = _whole(column)
        low = UNLABELLED if (numbers == 0).any() else 0  # -1 is then what the hub writes where there is none
        if are_classes or (low <= numbers.min() and numbers.max() < max(len(numbers), DENSE)):
            return _filled(numbers), []
        column = numbers
    elif kind == "string":
        if len(column) >= FEW and 2 * column.nunique() > len(column):
            raise NoLabels(f"{column.nunique():,} different texts for {len(column):,} images")
    elif kind == "mixed" and column.dropna().map(lambda value: isinstance(value, list | np.ndarray)).all():
        return _vectors(column), []
    else:
        raise NoLabels(f"values of type {kind}")
    labels, names = pd.factorize(column, sort=True)
    return labels.astype(np.int64), [str(name) for name in names]


def _whole(column: pd.Series) -> pd.Series:
    odd = column.dropna().map(lambda value: not float(value).is_integer())
    if odd.any():
        raise NoLabels(f"numbers that are not whole, such as {column.dropna()[odd].iloc[0]}")
    return column.astype("Int64")


def _vectors(column: pd.Series) -> np.ndarray:
    known = column.dropna()
    lengths = sorted(known.map(len).unique())
    if len(lengths) > 1 or not lengths[0]:
        raise NoLabels(f"lists of {lengths[0]} to {lengths[-1]} values")
    try:
        entries = [_filled(_whole(pd.Series(list(row), dtype=object))) for row in known]
    except (TypeError, ValueError):
        raise NoLabels("lists of something else than numbers") from None
    labels = np.full((len(column), lengths[0]), UNLABELLED)
    labels[column.notna()] = entries
    return labels


def _filled(numbers: Any) -> np.ndarray:
    return numbers.fillna(UNLABELLED).to_numpy(np.int64)
