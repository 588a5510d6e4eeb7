"""Pictures of runs, cropped alike and small enough for one page."""

import json
import re
from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from genlab.foreign import Unreadable, own_file
from genlab.report.cell import Cell

PADDING = 2  # pixels between the images of a grid
WIDEST = 560  # pixels; grids of larger images are scaled down
MOST_EPOCHS = 6
MOST_PIXELS = 5 * 10**7  # of a file; a small one may unfold to any size


class Picture(NamedTuple):
    """A picture as it stands in the page, with the size at which it is shown."""

    uri: str
    width: int
    height: int
    epoch: int


def newest(cell: Cell, kind: str, n_rows: int = 2) -> Picture | None:
    """The first rows of the newest samples or reconstructions; None if there are none that can be read."""
    return next((found for path in cell.pictures(kind)[:-3:-1] if (found := _row(cell, kind, path, n_rows))), None)


def over_time(cell: Cell, kind: str = "samples") -> list[Picture]:
    """The first row of several epochs, from the first to the last."""
    paths = cell.pictures(kind)
    if len(paths) > MOST_EPOCHS:
        steps = (len(paths) - 1) / (MOST_EPOCHS - 1)
        paths = [paths[round(n * steps)] for n in range(MOST_EPOCHS)]
    return [found for path in paths if (found := _row(cell, kind, path, 1))] if len(paths) > 1 else []


def data_uri(content: bytes, kind: str) -> str:
    """A file as an address that holds it whole."""
    return f"data:image/{kind};base64,{b64encode(content).decode()}"


def _row(cell: Cell, kind: str, path: Path, n_rows: int) -> Picture | None:
    """The first rows of a grid, undone of the enlargement that small ones have been given."""
    try:
        return _cut(cell, kind, path, n_rows)
    except (OSError, ValueError, SyntaxError, RuntimeError, Unreadable, Image.DecompressionBombError):
        return None  # it is being written, or damaged


def _cut(cell: Cell, kind: str, path: Path, n_rows: int) -> Picture | None:
    own_file(cell.folder, f"{kind}/{path.name}")
    with Image.open(path, formats=["PNG"]) as opened:
        if opened.width * opened.height > MOST_PIXELS:
            return None
        picture = opened.convert("RGB")
    height, width = _image_size(cell)
    columns = cell.config.get(f"callbacks.{kind}.n_columns")
    n_columns = columns if isinstance(columns, int) and columns > 0 else 8
    factor = max(1, round(picture.width / (n_columns * (width + PADDING) + PADDING)))
    bottom = min(picture.height, factor * (n_rows * (height + PADDING) + PADDING))
    picture = picture.crop((0, 0, picture.width, bottom))
    size = (picture.width // factor, picture.height // factor)
    picture = picture.resize(size, Image.Resampling.NEAREST)
    picture.thumbnail((WIDEST, WIDEST), Image.Resampling.LANCZOS)
    return Picture(_webp(picture), *picture.size, epoch=int(re.sub("[^0-9]", "", path.stem) or 0))


def _image_size(cell: Cell) -> Sequence[int]:
    try:
        _, *size = json.loads(str(cell.config.get("data.image_shape")))
        height, width = (side for side in map(int, size) if side > 0)
    except (TypeError, ValueError):
        return 64, 64
    return height, width


def _webp(picture: Image.Image) -> str:
    content = BytesIO()
    picture.save(content, "WEBP", quality=82, method=4)
    return data_uri(content.getvalue(), "webp")
