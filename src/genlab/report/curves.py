"""Training curves of all runs, overlaid."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from genlab.report.cell import Cell, Curve
from genlab.report.keys import DATA
from genlab.report.style import Look, Theme, describe, legend, looks, panels, spread_out
from genlab.report.sweep import Sweep
from genlab.report.text import direction

MOST_PANELS, MOST_POINTS = 12, 80


def curve_keys(sweep: Sweep) -> list[tuple[str, str]]:
    """Metrics and data sets to draw a panel for: scores, then losses of validation, else of training."""
    scores = list(dict.fromkeys(cell.score_key for cell in sweep.in_order if cell.score_key))
    phase = "val/" if any(key.startswith("val/") for key in sweep.metrics) else "train/"
    losses = [key for key in sweep.metrics if key.startswith(phase) and "accuracy" not in key]
    sets = list(dict.fromkeys(str(cell.config.get(DATA, "")) for cell in sweep.cells if cell.config))
    pairs = [(key, data) for key in [*scores, *losses] for data in sets]
    return [pair for pair in pairs if any(len(cell.curve(pair[0]).x) for cell in _on(sweep, pair[1]))][:MOST_PANELS]


def draw_curves(sweep: Sweep, keys: Sequence[tuple[str, str]], theme: Theme) -> Figure:
    """Draw a panel for each metric and data set, with thinner lines the more there are."""
    n_columns = {2: 2, 4: 4}.get(len({data for _, data in keys}), 3)  # a metric's panels stand side by side
    figure, axes = panels(len(keys), theme, n_columns, (12 / n_columns, 3.1))
    known = looks(sweep.models)
    scores = {cell.score_key for cell in sweep.cells}
    for axis, (key, data) in zip(axes, keys, strict=True):
        drawn = [(cell, curve) for cell in _on(sweep, data) if len((curve := cell.curve(key)).x)]
        for model, look in known.items():
            lines = [_thinned(curve) for cell, curve in drawn if cell.model == model]
            _add(axis, lines, look, n=len(drawn))
        _limits(axis, *(np.concatenate(parts) for parts in zip(*(curve for _, curve in drawn), strict=True)))
        better = direction(key, scores)
        describe(axis, theme, f"{key} on {data}", "images seen", f"{key.partition('/')[2]}  {better[:1]}".strip())
    legend(figure, theme, known)
    return figure


def _on(sweep: Sweep, data: str) -> list[Cell]:
    return [cell for cell in sweep.cells if cell.config and str(cell.config.get(DATA, "")) == data]


def _add(axis: Axes, lines: Sequence[np.ndarray], look: Look, n: int) -> None:
    """All lines of one model at once, which is what makes hundreds of them cheap."""
    strength = {"linewidths": 1.3 if n <= 20 else 0.6, "alpha": 0.9 if n <= 20 else 0.5}
    axis.add_collection(LineCollection([line for line in lines if len(line) > 1], colors=look.colour, **strength))
    single = np.array([line[0] for line in lines if len(line) == 1]).reshape(-1, 2)
    axis.scatter(single[:, 0], single[:, 1], s=14, c=look.colour, marker=look.mark, alpha=0.8)


def _limits(axis: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Show nearly all values: a run that diverges does not press the others flat."""
    low, high = np.quantile(y, [0.01, 0.97])
    margin = 0.06 * (high - low) or 0.5
    axis.set(xlim=(0, x.max() * 1.03), ylim=(low - margin, high + margin))
    spread_out(axis.yaxis, [low, high])
    if axis.get_yscale() == "log":
        axis.set_ylim(low / 1.1, high * 1.1)
    spread_out(axis.xaxis, [])


def _thinned(curve: Curve) -> np.ndarray:
    kept = np.unique(np.linspace(0, len(curve.x) - 1, MOST_POINTS).round().astype(int))
    return np.column_stack([curve.x[kept], curve.y[kept]])
