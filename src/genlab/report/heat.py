"""Heat maps of a metric over the keys of a grid."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from genlab.report.cell import Cell
from genlab.report.keys import DATA, LATENT, MODEL, is_seed, value
from genlab.report.style import Theme, describe, panels, short
from genlab.report.sweep import Sweep
from genlab.report.text import DOWN, direction, number

MOST_VALUES, MOST_PANELS = 12, 6
VITAL = ("health/diversity", "health/active_units", "health/distinctness", "health/saturation")


@dataclass(frozen=True)
class Panel:
    """One map: means of the values of cells, NaN where there is no cell."""

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: np.ndarray


@dataclass(frozen=True)
class Chart:
    """Maps of one metric.

    Attributes:
        apart: the axis along which values can't be compared, each line of which has colours of its own; None if all
            values of a panel can be compared.
    """

    name: str
    title: str
    caption: str
    axes: tuple[str, str]
    panels: Sequence[Panel]
    lower_is_better: bool
    apart: int | None


def charts(sweep: Sweep, most: int) -> list[Chart]:
    """Maps of the score, and of the metrics that most cells have, over the two keys that matter most."""
    axes = _axes(sweep)
    if axes is None:
        return []
    found = [_chart(sweep, key, axes) for key in _metrics(sweep, most)]
    score = _score_chart(sweep, axes)
    return [chart for chart in (score, *found) if chart and chart.panels]


def draw(chart: Chart, theme: Theme) -> Figure:
    """Draw the panels side by side, with the values in their places."""
    widest = max(len(panel.columns) for panel in chart.panels)
    tallest = max(len(panel.rows) for panel in chart.panels)
    size = (1.35 + max(1.5, 0.72 * widest), 1.05 + 0.4 * tallest)
    figure, axes = panels(len(chart.panels), theme, size=size, left=1.1, foot=0)
    for axis, panel in zip(axes, chart.panels, strict=True):
        shades = _shades(panel.values, chart.apart)
        ends = [theme.faint, theme.strong]
        colours = LinearSegmentedColormap.from_list("", ends[::-1] if chart.lower_is_better else ends)
        axis.imshow(np.ma.masked_invalid(shades), cmap=colours, vmin=0, vmax=1, aspect="auto")
        for (row, column), shade in np.ndenumerate(shades):
            known = np.isfinite(shade)
            light = known and np.mean(colours(shade)[:3]) > 0.5
            colour = theme.ink if not known else "#16181c" if light else "#ffffff"
            text = short(float(f"{panel.values[row, column]:.3g}")) if known else "–"
            axis.text(column, row, text, ha="center", va="center", color=colour, fontsize=8.5)
        axis.set_xticks(range(len(panel.columns)), panel.columns)
        axis.set_yticks(range(len(panel.rows)), panel.rows)
        describe(axis, theme, panel.title, chart.axes[1], chart.axes[0])
        axis.grid(visible=False)
    return figure


def _axes(sweep: Sweep) -> tuple[str, str] | None:
    """The keys of rows and columns; the data set is a panel's, unless nothing else varies beside the model."""
    counts = {key: len({str(value(cell, key)) for cell in sweep.cells if cell.config}) for key in sweep.keys}
    few = [key for key in sweep.keys if key != DATA and not is_seed(key) and counts[key] <= MOST_VALUES]
    few.sort(key=lambda key: (key not in (MODEL, LATENT), key != MODEL, -counts[key]))
    if len(few) >= 2:
        return few[0], few[1]
    return (few[0], DATA) if few and DATA in sweep.keys else None


def _metrics(sweep: Sweep, most: int) -> list[str]:
    """Losses of validation and signs of health that a good part of the cells have."""
    keys = [key for key in sweep.metrics if key.startswith("val/") and "accuracy" not in key]
    keys += [key for key in VITAL if key in sweep.metrics]
    share = {key: sum(key in cell.metrics for cell in sweep.cells) / len(sweep.cells) for key in keys}
    return [key for key in keys if share[key] >= 0.3][:most]


def _score_chart(sweep: Sweep, axes: tuple[str, str]) -> Chart | None:
    """Of each protocol a panel, or a column if a column is a data set and each has one protocol."""
    groups, values, apart = sweep.groups, _scores(sweep), None
    if axes[1] == DATA:
        if not groups or len({group.stamp.data for group in groups}) < len(groups):
            return None
        maps, apart = [_panel(groups[0].stamp.metric, sweep.in_groups, values, axes)], 1
    else:
        large = [group for group in groups if len(group.cells) > 1]
        maps = [_panel(group.title, group.cells, values, axes) for group in large[:MOST_PANELS]]
    return _described(sweep, axes, "score", maps, DOWN, apart)


def _chart(sweep: Sweep, key: str, axes: tuple[str, str]) -> Chart:
    """A loss is another quantity in another model, so its colours compare within a row of one model."""
    cells = [cell for cell in sweep.cells if key in cell.metrics and cell.status not in ("failed", "damaged")]
    values = {cell.name: cell.metrics[key] for cell in cells}
    by_data: dict[str, list[Cell]] = {}
    for cell in cells:
        by_data.setdefault("" if axes[1] == DATA else str(cell.config.get(DATA, "")), []).append(cell)
    maps = [_panel(data, own, values, axes) for data, own in list(by_data.items())[:MOST_PANELS]]
    apart = 0 if axes[0] == MODEL and key.startswith("val/") else None
    return _described(sweep, axes, key, maps, direction(key, set()), apart)


def _described(
    sweep: Sweep, axes: tuple[str, str], what: str, maps: Sequence[Panel], better: str, apart: int | None
) -> Chart:
    names = (sweep.labels[axes[0]], sweep.labels[axes[1]])
    notes = ["Lower is better and has the stronger colour."] if better else []
    notes += {
        None: [],
        0: ["Colours compare within a row: a loss is another quantity in another model."],
        1: ["Colours compare within a column: scores on different data can't be compared."],
    }[apart]
    notes.append("Means over all that differs otherwise.")
    title = f"{'Score' if what == 'score' else what} over {' and '.join(names)}  {better}".strip()
    return Chart(f"heat_{what}", title, " ".join(notes), names, maps, bool(better), apart)


def _panel(title: str, cells: Sequence[Cell], values: dict[str, float], axes: tuple[str, str]) -> Panel:
    found: dict[tuple[object, object], list[float]] = {}
    for cell in cells:
        if cell.name in values:
            found.setdefault((value(cell, axes[0]), value(cell, axes[1])), []).append(values[cell.name])
    rows, columns = (sorted({pair[n] for pair in found}, key=_order) for n in (0, 1))
    means = [[np.mean(found.get((row, column), [np.nan])) for column in columns] for row in rows]
    return Panel(title, [number(row) for row in rows], [number(column) for column in columns], np.array(means))


def _scores(sweep: Sweep) -> dict[str, float]:
    return {cell.name: cell.score.value for cell in sweep.in_groups if cell.score}


def _shades(values: np.ndarray, apart: int | None) -> np.ndarray:
    """Values as shares of their range; one value alone is in the middle."""
    axis = None if apart is None else 1 - apart
    finite = np.ma.masked_invalid(values)
    low, high = finite.min(axis=axis, keepdims=True), finite.max(axis=axis, keepdims=True)
    shares = np.ma.where(high > low, (finite - low) / np.ma.where(high > low, high - low, 1), 0.5)
    return np.ma.filled(np.ma.masked_array(shares, finite.mask), np.nan)


def _order(found: object) -> tuple[bool, float, str]:
    is_number = isinstance(found, int | float)
    return not is_number, float(found) if isinstance(found, int | float) else 0.0, str(found)
