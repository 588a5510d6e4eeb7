"""Samples and reconstructions of runs, cropped alike and small enough for one page."""

import re
from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from genlab.foreign import own_file
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


def newest(run: Run, kind: str) -> Thumbnail | None:
    """The first two rows of the newest `samples` or `reconstructions`; None if there are none that can be read."""
    return next((found for path in _files(run, kind)[:-3:-1] if (found := _thumbnail(run, kind, path, 2))), None)


def over_time(run: Run) -> list[Thumbnail]:
    """The first row of the samples of several epochs, from the first to the last."""
    paths = _files(run, "samples")
    if len(paths) < 2:
        return []
    few = np.linspace(0, len(paths) - 1, min(MOST_EPOCHS, len(paths))).round().astype(int)
    return [found for n in few if (found := _thumbnail(run, "samples", paths[n], 1))]


def data_uri(content: bytes, kind: str) -> str:
    """A file as an address that holds it whole."""
    return f"data:image/{kind};base64,{b64encode(content).decode()}"


def _files(run: Run, kind: str) -> list[Path]:
    """The oldest first."""
    return sorted((run.folder / kind).glob("epoch_*.png"), key=lambda path: (len(path.stem), path.stem))


def _thumbnail(run: Run, kind: str, path: Path, n_rows: int) -> Thumbnail | None:
    """The first rows of a grid, without the enlargement that small ones have been given; None if it is damaged."""
    try:
        own_file(run.folder, f"{kind}/{path.name}")
        with Image.open(path, formats=["PNG"]) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                return None
            picture = opened.convert("RGB")
        _, height, width = run.config["data.image_shape"]
        n_columns = run.config.get(f"callbacks.{kind}.n_columns", 8)
        factor = max(1, round(picture.width / (n_columns * (width + PADDING) + PADDING)))
        bottom = min(picture.height, factor * (n_rows * (height + PADDING) + PADDING))
        picture = picture.crop((0, 0, picture.width, bottom))
        picture = picture.resize((picture.width // factor, picture.height // factor), Image.Resampling.NEAREST)
        picture.thumbnail((WIDEST, WIDEST), Image.Resampling.LANCZOS)
        content = BytesIO()
        picture.save(content, "WEBP", quality=82, method=4)
        epoch = int(re.sub("[^0-9]", "", path.stem) or 0)
        return Thumbnail(data_uri(content.getvalue(), "webp"), *picture.size, epoch)
    except Exception:  # it is being written, or damaged, or its configuration is
        return None
