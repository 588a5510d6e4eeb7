"""The curves of a run."""

import numpy as np
import pandas as pd
from PIL import Image

from genlab.callbacks.curves import draw_curves

ROWS = {
    "step": [9, 19, 19, 39, 39],
    "train/images_seen": [100, 200, None, 400, None],
    "val/loss": [None, None, 2.5, None, 2.0],
    "val/fd": [None, None, 300.0, None, 250.0],
}
ERRORS = [None, None, 20.0, None, 15.0]


def drawn(tmp_path, **more):
    draw_curves(pd.DataFrame(ROWS | more), tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        return picture.convert("RGB").copy()


def test_a_standard_error_is_a_band_around_its_metric_and_no_panel_of_its_own(tmp_path):
    plain, banded = drawn(tmp_path), drawn(tmp_path, **{"val/fd_error": ERRORS})
    other = drawn(tmp_path, **{"val/x": ERRORS})
    assert banded.size == plain.size != other.size
    n_white = [int((np.asarray(picture) == 255).all(-1).sum()) for picture in (plain, banded)]
    assert n_white[1] < 0.95 * n_white[0]


def test_rows_that_were_written_twice_are_drawn(tmp_path):
    """As a run leaves them that was killed and has gone on."""
    frame = pd.DataFrame(ROWS | {"val/fd_error": ERRORS})
    draw_curves(pd.concat([frame, frame], ignore_index=True), tmp_path / "curves.png")
    assert (tmp_path / "curves.png").is_file()
