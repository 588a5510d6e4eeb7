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

Labels = tuple[np.ndarray, list[str]]  # (N,) or (N, entries); names of the classes or the entries, if they have any


class NoLabels(Exception):
    """Values that can't be labels; the text says what they are."""


class StoredImages:
    """A column of files, bytes, paths or arrays of a `datasets.Dataset`, as what a `View` can open.

    Paths may start from `folder`.
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
    """Return the name of the first column of type image, or else of the first one that holds any."""
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
    """Return the labels of the wanted column, or of one that looks like classes, or none."""
    import datasets

    kinds = table.features
    if wanted is not None and wanted not in (*kinds, NONE):
        choices = unknown("data.label_column", wanted, list(kinds))
        raise UsageError(f"{choices} data.label_column={NONE} takes no labels.")
    classes = [name for name, kind in kinds.items() if isinstance(kind, datasets.ClassLabel)]
    classes += [name for name in ("label", "labels") if name in kinds]
    chosen = wanted or next(iter(classes), None)
    if chosen is None:
        truths = [name for name, kind in kinds.items() if getattr(kind, "dtype", None) == "bool"]
        if truths:
            numbers = table.select_columns(truths).to_pandas().astype("boolean").astype("Int64")
            return numbers.fillna(UNLABELLED).to_numpy(np.int64), truths
    elif chosen != NONE:
        try:
            if isinstance(kinds[chosen], datasets.Image | dict):
                raise NoLabels("images or nested values")
            labels, names = read_labels(table[chosen][:])
            return labels, getattr(kinds[chosen], "names", names)
        except NoLabels as error:
            if wanted is not None:
                raise UsageError(
                    f"data.label_column={wanted} holds {error}, which can't be labels. Columns: {', '.join(kinds)}; "
                    f"data.label_column={NONE} takes no labels."
                ) from None
            log.warning("No labels are taken: the column %s holds %s.", chosen, error)
    return np.full(len(table), UNLABELLED), []


def read_labels(values: Sequence[Any]) -> Labels:
    """Turn a column into labels: texts are numbered in their order, numbers and lists of them are taken as they are.

    None, NaN and texts of blanks become -1. Raises NoLabels for anything else.
    """
    column = pd.Series([None if isinstance(v, str) and not v.strip() else v for v in values], dtype=object)
    is_known, kind = column.notna().to_numpy(), pd.api.types.infer_dtype(column, skipna=True)
    if not is_known.any():
        raise NoLabels("no values")
    if kind == "string":
        labels, names = pd.factorize(column, sort=True)
        return labels.astype(np.int64), [*map(str, names)]
    try:
        numbers = np.array(column[is_known].tolist(), float)
    except (TypeError, ValueError):
        raise NoLabels("lists of different lengths or of no numbers" if kind == "mixed" else f"a {kind}") from None
    is_odd = np.isinf(numbers) | (~np.isnan(numbers) & (numbers != np.trunc(numbers)))
    if is_odd.any():
        raise NoLabels(f"numbers that are not whole, such as {numbers[is_odd][0]}")
    if numbers.ndim > 2 or not numbers.size:
        raise NoLabels("nested or empty lists")
    labels = np.full((len(column), *numbers.shape[1:]), UNLABELLED)
    labels[is_known] = np.nan_to_num(numbers, nan=UNLABELLED)
    return labels, ["False", "True"] if kind == "boolean" else []
