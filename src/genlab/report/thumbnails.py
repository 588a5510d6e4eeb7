"""Samples and reconstructions of runs, cropped alike and small enough for one page."""

import re
from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from genlab.foreign import Unreadable, own_file
from genlab.report.read import Run

PADDING = 2  # pixels between the images of a grid
WIDEST = 560  # pixels; grids of larger images are scaled down
MOST_EPOCHS = 6
MOST_PIXELS = 5 * 10**7  # of a file; a small one may unfold to any size


class Thumbnail(NamedTuple):
    """A picture as it stands in the page, with the size at which it is shown."""

    uri: str
    width: int
    height: int
    epoch: int


def newest(run: Run, kind: str, n_rows: int = 2) -> Thumbnail | None:
    """The first rows of the newest `samples` or `reconstructions`; None if there are none that can be read."""
    return next((found for path in _files(run, kind)[:-3:-1] if (found := _thumbnail(run, kind, path, n_rows))), None)


def over_time(run: Run, kind: str = "samples") -> list[Thumbnail]:
    """The first row of several epochs, from the first to the last."""
    paths = _files(run, kind)
    if len(paths) < 2:
        return []
    few = np.linspace(0, len(paths) - 1, min(MOST_EPOCHS, len(paths))).round().astype(int)
    return [found for n in few if (found := _thumbnail(run, kind, paths[n], 1))]


def data_uri(content: bytes, kind: str) -> str:
    """A file as an address that holds it whole."""
    return f"data:image/{kind};base64,{b64encode(content).decode()}"


def _files(run: Run, kind: str) -> list[Path]:
    """The oldest first."""
    return sorted((run.folder / kind).glob("epoch_*.png"), key=lambda path: (len(path.stem), path.stem))


def _thumbnail(run: Run, kind: str, path: Path, n_rows: int) -> Thumbnail | None:
    """The first rows of a grid, undone of the enlargement that small ones have been given."""
    try:
        own_file(run.folder, f"{kind}/{path.name}")
        with Image.open(path, formats=["PNG"]) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                return None
            picture = opened.convert("RGB")
        _, height, width = _whole(run, "data.image_shape", [1, 64, 64])
        (n_columns,) = _whole(run, f"callbacks.{kind}.n_columns", [8])
        factor = max(1, round(picture.width / (n_columns * (width + PADDING) + PADDING)))
        bottom = min(picture.height, factor * (n_rows * (height + PADDING) + PADDING))
        picture = picture.crop((0, 0, picture.width, bottom))
        picture = picture.resize((picture.width // factor, picture.height // factor), Image.Resampling.NEAREST)
        picture.thumbnail((WIDEST, WIDEST), Image.Resampling.LANCZOS)
        content = BytesIO()
        picture.save(content, "WEBP", quality=82, method=4)
        epoch = int(re.sub("[^0-9]", "", path.stem) or 0)
        return Thumbnail(data_uri(content.getvalue(), "webp"), *picture.size, epoch)
    except (OSError, ValueError, SyntaxError, RuntimeError, Unreadable, Image.DecompressionBombError):
        return None  # it is being written, or damaged


def _whole(run: Run, key: str, default: list[int]) -> list[int]:
    """Positive whole numbers of a configuration, as many as by default."""
    found: Any = run.config.get(key)
    values = found if isinstance(found, list) else [found]
    is_known = len(values) == len(default) and all(isinstance(value, int) and value > 0 for value in values)
    return values if is_known else default
