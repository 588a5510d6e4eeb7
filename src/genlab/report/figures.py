"""The figures of a report: which there are, and how each is drawn on light and dark paper."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from genlab.names import LONGEST, shorten
from genlab.report import style
from genlab.report.read import thinned
from genlab.report.style import Plot, Theme, describe, looks, panels, spread_out
from genlab.report.table import DATA, LATENT, MODEL, NOT_RANKED, Group, Table, is_seed, pareto_front
from genlab.report.text import DOWN, clipped, direction, number, short

MOST_GROUPS, MOST_KEYS, MOST_MAPS, MOST_VALUES, MOST_CURVES, MOST_POINTS = 6, 4, 6, 12, 12, 80
COSTS = {"seconds": "seconds", "images_seen": "images seen", "parameters": "parameters"}  # columns, what they are
VITAL = ("health/diversity", "health/active_units", "health/distinctness", "health/saturation")


Parts = Iterable[tuple[Any, pd.DataFrame]]  # a title each, and rows of the table


class Drawn(NamedTuple):
    """A figure as two PNG files."""

    name: str
    title: str
    caption: str
    light: bytes
    dark: bytes
    width: int  # at which it is shown, in pixels of a page


def drawn_figures(table: Table) -> Iterator[Drawn]:
    """Draw all figures that a sweep has something to show in, in the order of the page."""
    for name, title, caption, draw in (*_scores(table), *_maps(table), *_costs(table), *_curves(table)):
        files = []
        for theme in (style.LIGHT, style.DARK):
            with style.paper(theme):
                figure = draw(theme)
                files.append(style.png(figure))
        file = shorten(re.sub(r"[^\w.-]+", "_", name), LONGEST - len(".png"))
        yield Drawn(file, title, caption, files[0], files[1], round(96 * figure.get_figwidth()))


def _scores(table: Table) -> Iterator[Plot]:
    """Against each swept key of which one model has several numbers in a group, the latent dimension first."""
    places = [table.frame["group"].where(table.frame["group"] <= MOST_GROUPS), table.frame["model"]]
    keys = [key for key in table.keys if not is_seed(key)]
    several = [key for key in keys if table.numbers(key).groupby(places).nunique().gt(1).any()]
    for key in sorted(several, key=lambda key: key != LATENT)[:MOST_KEYS]:
        yield (
            f"score_against_{table.labels[key]}",
            f"Score against {'latent dimension' if key == LATENT else table.labels[key]}",
            "Lower is better. Points are means, bars reach from the lowest to the highest value "
            "of the runs that differ by their seed alone.",
            partial(_draw_scores, table, key),
        )


def _draw_scores(table: Table, key: str, theme: Theme) -> Figure:
    """A panel for each protocol, and in it a line for each setting that is otherwise the same."""
    frame, known = table.frame.assign(x=table.numbers(key)), looks(table.models)
    groups = [group for group in table.groups if frame["x"][group.rows.index].nunique() > 1][:MOST_GROUPS]
    figure, axes = panels(len(groups), size=(4.6, 3.4))
    others = [other for other in table.keys if other not in (key, DATA) and not is_seed(other)]
    for axis, (title, stamp, rows) in zip(axes, groups, strict=True):
        rows = frame.loc[rows.index].dropna(subset="x")
        for (model, *_), line in rows.groupby(["model", *others], sort=False):
            points = line.groupby("x")["score"].agg(["mean", "min", "max"])
            mean, low, high = points.to_numpy().T
            bars = mean - low, high - mean
            axis.errorbar(points.index, mean, bars, **known[str(model)], capsize=3, lw=1.4, alpha=0.9)
        style.ticks_at(axis, sorted(set(rows["x"])))
        spread_out(axis.yaxis, rows["score"])
        describe(axis, title, key, f"{stamp.metric}  {DOWN}")
    style.legend(figure, known, _models(groups))
    return figure


def _maps(table: Table) -> Iterator[Plot]:
    """Of the score, and of the metrics that many runs have, over the two keys that matter most.

    Each data set has a panel, or a column if nothing else varies beside the model. What can't be compared has colours
    of its own: scores on different data, and losses of different models, which are different quantities.
    """
    frame, groups = table.frame, table.groups
    counts = frame[list(table.keys)].astype(str).nunique()
    few = [key for key in table.keys if key != DATA and not is_seed(key) and counts[key] <= MOST_VALUES]
    few.sort(key=lambda key: (key not in (MODEL, LATENT), key != MODEL, -counts[key]))
    keys = [*few, *([DATA] if len(few) == 1 and DATA in table.keys else [])][:2]
    if len(keys) < 2:
        return
    if keys[1] != DATA:
        yield from _map(table, "score", keys, [(title, rows) for title, _, rows in groups if len(rows) > 1])
    elif groups and len({group.stamp.data for group in groups}) == len(groups):
        yield from _map(table, "score", keys, [(groups[0].stamp.metric, frame[frame["group"].notna()])], 0)

    losses = [key for key in table.metrics if key.startswith("val/") and "accuracy" not in key]
    common = [key for key in (*losses, *VITAL) if key in table.metrics and frame[key].notna().mean() >= 0.3]
    for key in common[:MOST_MAPS]:
        rows = frame[frame[key].notna() & ~frame["status"].isin(NOT_RANKED)]
        parts = [("", rows)] if keys[1] == DATA else rows.groupby("data")
        yield from _map(table, key, keys, parts, 1 if keys[0] == MODEL and key.startswith("val/") else None)


def _map(table: Table, what: str, keys: Sequence[str], parts: Parts, apart: int | None = None) -> Iterator[Plot]:
    """Args: apart: the axis along which values of a panel can be compared; None if all can be."""
    maps = [(str(title), rows.pivot_table(what, keys[0], keys[1], sort=False)) for title, rows in parts if len(rows)]
    if not maps:
        return
    names = [table.labels[key] for key in keys]
    better = direction(what, what == "score")
    caption = "Lower is better and has the stronger colour. " if better else ""
    if apart is not None:
        caption += (
            "Colours compare within a column: scores on different data can't be compared. ",
            "Colours compare within a row: a loss is another quantity in another model. ",
        )[apart]
    title = f"{'Score' if what == 'score' else what} over {' and '.join(names)}  {better}".strip()
    draw = partial(_draw_maps, maps[:MOST_GROUPS], names, apart, (-1 if better else 1))
    yield f"heat_{what}", title, f"{caption}Means over all that differs otherwise.", draw


def _draw_maps(
    maps: Sequence[tuple[str, pd.DataFrame]], names: Sequence[str], apart: int | None, order: int, theme: Theme
) -> Figure:
    """Panels side by side, with the values in their places."""
    tallest, widest = np.max([grid.shape for _, grid in maps], axis=0)
    figure, axes = panels(len(maps), size=(1.35 + max(1.5, 0.72 * widest), 0.65 + 0.4 * tallest))
    colours = LinearSegmentedColormap.from_list("", (theme.faint, theme.strong)[::order])
    for axis, (title, grid) in zip(axes, maps, strict=True):
        grid = grid.reindex(index=sorted(grid.index, key=_order), columns=sorted(grid.columns, key=_order))
        values = grid.to_numpy(float)
        low, high = (find(values, axis=apart, keepdims=True) for find in (np.nanmin, np.nanmax))
        shades = np.where(high > low, (values - low) / np.where(high > low, high - low, 1), 0.5 + 0 * values)
        axis.imshow(shades, cmap=colours, vmin=0, vmax=1, aspect="auto")
        for (row, column), shade in np.ndenumerate(shades):
            text = short(float(f"{values[row, column]:.3g}")) if np.isfinite(shade) else "–"
            is_light = np.mean(colours(shade)[:3]) > 0.5
            colour = theme.ink if text == "–" else "#16181c" if is_light else "#ffffff"
            axis.text(column, row, text, ha="center", va="center", color=colour)
        axis.set_xticks(range(len(grid.columns)), [clipped(number(name)) for name in grid.columns])
        axis.set_yticks(range(len(grid.index)), [clipped(number(name)) for name in grid.index])
        axis.grid(visible=False)
        describe(axis, title, names[1], names[0])
    return figure


def _order(value: Any) -> tuple[bool, Any]:
    """Numbers first, then texts."""
    return isinstance(value, str), value


def _costs(table: Table) -> Iterator[Plot]:
    groups = [group for group in table.groups if len(group.rows) > 1][:MOST_GROUPS]
    rows = table.frame[table.frame["group"] <= len(groups)]
    if kinds := [kind for kind in COSTS if rows[kind].nunique() > 1]:
        yield (
            "score_against_cost",
            "Score against what it costs",
            "Lower left is better. The line is the Pareto front: runs that no other beats at the same cost or less.",
            partial(_draw_costs, table, groups, kinds),
        )


def _draw_costs(table: Table, groups: Sequence[Group], kinds: Sequence[str], theme: Theme) -> Figure:
    """A row for each protocol and a column for each cost."""
    known = looks(table.models)
    figure, axes = panels(len(kinds) * len(groups), len(kinds))
    places = [(group, kind) for group in groups for kind in kinds]
    for axis, ((title, stamp, rows), kind) in zip(axes, places, strict=True):
        points = rows[["model", kind, "score"]].astype({kind: float}).dropna()
        for model, own in points.groupby("model"):
            axis.scatter(own[kind].to_numpy(), own["score"].to_numpy(), s=22, **known[str(model)], alpha=0.8)
        front = pareto_front(points[[kind, "score"]])
        axis.plot(*front.to_numpy().T, color=theme.ink, linewidth=1, drawstyle="steps-post", zorder=1)
        spread_out(axis.xaxis, points[kind], 8)
        spread_out(axis.yaxis, rows["score"])
        describe(axis, title, f"{COSTS[kind]}  ↓", f"{stamp.metric}  ↓")
    style.legend(figure, known, _models(groups), Line2D([], [], color=theme.ink, linewidth=1, label="Pareto front"))
    return figure


def _models(groups: Sequence[Group]) -> set[str]:
    return {model for group in groups for model in group.rows["model"]}


def _curves(table: Table) -> Iterator[Plot]:
    """A panel for each metric and data set: scores, then losses of validation, else of training."""
    phase = "val/" if any(key.startswith("val/") for key in table.metrics) else "train/"
    losses = [key for key in table.metrics if key.startswith(phase) and "accuracy" not in key]
    data_sets = list(table.frame[table.frame["model"] != ""].groupby("data"))
    places = []
    for key in (*table.frame["score_key"].dropna().unique(), *losses):
        for data, rows in data_sets:
            curves = {n: curve for n in rows.index if len(curve := table.runs[n - 1].curve(key))}
            if curves:
                places.append((key, str(data), curves))
    if places:
        yield (
            "curves",
            "Training curves",
            "Scores and losses over the images seen, a line a run. Outliers beyond the panel are cut off. "
            "Losses of different models are different quantities.",
            partial(_draw_curves, table, places[:MOST_CURVES]),
        )


def _draw_curves(table: Table, places: Sequence[tuple[str, str, dict[int, pd.Series]]], theme: Theme) -> Figure:
    """All lines of one model at once, which is what makes hundreds of them cheap; thinner ones the more there are."""
    n_columns = {2: 2, 4: 4}.get(len({data for _, data, _ in places}), 3)  # a metric's panels stand side by side
    figure, axes = panels(len(places), n_columns, (12 / n_columns, 3.1))
    known = looks(table.models)
    for axis, (key, data, curves) in zip(axes, places, strict=True):
        width, alpha = (1.3, 0.9) if len(curves) <= 20 else (0.6, 0.5)
        for model, look in known.items():
            own = [thinned(curve, MOST_POINTS) for n, curve in curves.items() if table.frame["model"][n] == model]
            lines = [np.column_stack([line.index, line]) for line in own if len(line) > 1]
            axis.add_collection(LineCollection(lines, colors=look["color"], linewidths=width, alpha=alpha))
            single = pd.concat([pd.Series(dtype=float), *(line for line in own if len(line) == 1)])
            axis.scatter(single.index.astype(float), single.to_numpy(), s=14, **look, alpha=0.8)
        _limit(axis, pd.concat(curves.values()))
        better = direction(key, key in set(table.frame["score_key"]))
        describe(axis, f"{key} on {data}", "images seen", f"{key.partition('/')[2]}  {better[:1]}".strip())
    style.legend(figure, known, known)
    return figure


def _limit(axis: Axes, values: pd.Series) -> None:
    """Show nearly all values: a run that diverges does not press the others flat."""
    low, high = values.quantile([0.01, 0.97])
    margin = 0.06 * (high - low) or 0.5
    axis.set(xlim=(0, values.index.max() * 1.03), ylim=(low - margin, high + margin))
    spread_out(axis.yaxis, [low, high])
    if axis.get_yscale() == "log":
        axis.set_ylim(low / 1.1, high * 1.1)
    spread_out(axis.xaxis, [])
