"""Small curves of one run, drawn by the page itself: the points of a line."""

from typing import NamedTuple

import numpy as np

from genlab.report.cell import Cell
from genlab.report.text import number

MOST_CURVES, MOST_POINTS = 9, 60
WIDTH, HEIGHT = 150, 44  # of the drawing, in its own units


class Spark(NamedTuple):
    """A curve of a metric over images seen."""

    key: str
    points: str  # x,y pairs of an SVG polyline
    first: str
    last: str
    images_seen: str


def sparks(cell: Cell) -> list[Spark]:
    """Curves of the score, then of the losses and other metrics."""
    keys = [str(key) for key in cell.history if "/" in str(key) and key != "train/images_seen"]
    keys.sort(
        key=lambda key: (key != cell.score_key, not key.startswith("val/"), "loss" not in key, "grad_norm" in key)
    )
    return [found for key in keys if (found := _spark(cell, key))][:MOST_CURVES]


def _spark(cell: Cell, key: str) -> Spark | None:
    x, y = cell.curve(key)
    if len(y) < 2:
        return None
    kept = np.unique(np.linspace(0, len(y) - 1, MOST_POINTS).round().astype(int))
    across = WIDTH * (x[kept] - x[0]) / ((x[-1] - x[0]) or 1)
    down = HEIGHT * (1 - (y[kept] - y.min()) / ((y.max() - y.min()) or 1))
    points = " ".join(f"{a:.0f},{b:.1f}" for a, b in zip(across, down, strict=True))
    return Spark(key, points, number(y[0]), number(y[-1]), number(x[-1]))
