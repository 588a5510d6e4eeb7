"""Which columns of a table of the hub hold images and labels, and the images in them."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from genlab.data.labels import Labels, NoLabels, read_labels, truths, unlabelled
from genlab.data.view import opened
from genlab.errors import UsageError, listed, unknown

log = logging.getLogger(__name__)

NONE = "none"  # as data.label_column: no labels
SMALLEST = 8  # pixels a side: smaller tables of numbers are no images


def choose_images(data: Any, wanted: str | None, folder: Path) -> str:
    """Return the name of the column with images: the wanted one, the first of that type, or the first that holds any.

    Raises:
        UsageError: if there is none, or if the wanted one holds something else.
    """
    import datasets

    kinds = data.features
    if wanted is not None and wanted not in kinds:
        raise UsageError(unknown("data.image_column", wanted, list(kinds)))
    if wanted is None:
        found = [name for name, kind in kinds.items() if isinstance(kind, datasets.Image)]
        found += [name for name, kind in kinds.items() if isinstance(kind, dict) and "bytes" in kind]
        if found:
            return found[0]
    for name in [wanted] if wanted else kinds:
        if _holds_images(data, name, folder):
            return name
    what = f"data.image_column={wanted} holds no images" if wanted else "No column holds images"
    raise UsageError(
        f"{what}, nor paths to any: type the one that does, as data.image_column=NAME. Valid: {', '.join(kinds)}."
    )


def undecoded(data: Any, column: str) -> Any:
    """The table of that column alone, images as they are stored."""
    import datasets

    data = data.select_columns(column)
    is_image = isinstance(data.features[column], datasets.Image)
    return data.cast_column(column, datasets.Image(decode=False)) if is_image else data


def source(value: Any, folder: Path) -> Any:
    """Return what a `View` can open.

    Args:
        value: of an image column: bytes, a path, both in a dictionary, or the levels (H, W), (H, W, C) or (C, H, W).
        folder: from which a path may start.

    Raises:
        UsageError: if there is no image.
    """
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("path")
    if value is None or (isinstance(value, str | bytes) and not value):
        raise UsageError("there is no image")
    if isinstance(value, str):
        return folder / value if (folder / value).is_file() else value
    return _from_levels(np.asarray(value)) if isinstance(value, list | np.ndarray) else value


def _from_levels(levels: np.ndarray) -> Image.Image:
    if levels.ndim == 3 and levels.shape[0] in (1, 3, 4) and levels.shape[2] not in (1, 3, 4):
        levels = levels.transpose(1, 2, 0)
    if levels.ndim == 3 and levels.shape[2] == 1:
        levels = levels[:, :, 0]
    if levels.ndim not in (2, 3) or min(levels.shape[:2]) < SMALLEST or levels.dtype.kind not in "biuf":
        raise UsageError("it is no image")
    if levels.dtype.kind in "biu" and levels.min() >= 0 and levels.max() <= 255:
        return Image.fromarray(np.ascontiguousarray(levels, np.uint8))
    return Image.fromarray(levels.astype(np.float32 if levels.dtype.kind == "f" else np.int32))


def _holds_images(data: Any, column: str, folder: Path) -> bool:
    """Whether the first value that there is can be opened; a type that says so is believed."""
    import datasets

    if isinstance(data.features[column], datasets.Image):
        return True
    value = next((value for value in data[column] if value is not None), None)
    try:
        with opened(source(value, folder)):
            return True
    except Exception:  # whatever Pillow, NumPy and the file system say of what is no image
        return False


def choose_labels(parts: Mapping[str, Any], wanted: str | None) -> Labels:
    """Return the labels of all splits: those of the wanted column, or of one that looks like classes, or none.

    Raises:
        UsageError: if the wanted column is not there, or holds what can't be labels.
    """
    import datasets

    kinds = parts["train"].features
    if wanted is not None and wanted not in (*kinds, NONE):
        choices = unknown("data.label_column", wanted, list(kinds))
        raise UsageError(f"{choices} data.label_column={NONE} takes no labels.")
    classes = [name for name, kind in kinds.items() if isinstance(kind, datasets.ClassLabel)]
    classes += [name for name in ("label", "labels") if name in kinds]
    chosen = wanted or next(iter(classes), None)
    if chosen is not None and chosen != NONE:
        try:
            return _labels(parts, chosen)
        except NoLabels as error:
            if wanted is None:
                log.warning("No labels are taken: the column %s holds %s.", chosen, error)
            else:
                raise UsageError(
                    f"data.label_column={wanted} holds {error}, which can't be labels. Columns that can be: "
                    f"{listed(_usable(parts))}; data.label_column={NONE} takes no labels."
                ) from None
    names = [name for name, kind in kinds.items() if getattr(kind, "dtype", None) == "bool"]
    if chosen is None and names:
        return truths({name: _values(parts, name) for name in names})
    return unlabelled({name: len(data) for name, data in parts.items()})


def _labels(parts: Mapping[str, Any], column: str) -> Labels:
    """Raise NoLabels if a column has none."""
    import datasets

    kinds = {name: data.features.get(column) for name, data in parts.items()}
    if isinstance(kinds["train"], datasets.Image | dict):
        raise NoLabels("images" if isinstance(kinds["train"], datasets.Image) else "nested values")
    values = _values(parts, column)
    if isinstance(kinds["train"], datasets.ClassLabel):
        if all(kind in (None, kinds["train"]) for kind in kinds.values()):
            return read_labels(values, are_classes=True)._replace(names=list(kinds["train"].names))
        values = {name: _texts(part, kinds[name]) for name, part in values.items()}
    return read_labels(values)


def _values(parts: Mapping[str, Any], column: str) -> dict[str, list[Any]]:
    """The values of each split, None where it does not have the column."""
    return {name: data[column][:] if column in data.features else [None] * len(data) for name, data in parts.items()}


def _texts(values: list[Any], kind: Any) -> list[Any]:
    """The names of classes, whose numbers differ between splits."""
    names = getattr(kind, "names", None)
    return [names[value] if isinstance(value, int) and value >= 0 else None for value in values] if names else values


def _usable(parts: Mapping[str, Any]) -> list[str]:
    found = []
    for name, kind in parts["train"].features.items():
        if "binary" in str(getattr(kind, "dtype", "")):
            continue  # all of them would be read
        try:
            _labels(parts, name)
        except NoLabels:
            continue
        found.append(name)
    return found
