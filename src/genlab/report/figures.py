"""The figures of a report: which there are, and how each is drawn."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from genlab.names import LONGEST, file_name, shorten
from genlab.report import style
from genlab.report.read import is_seed, thinned
from genlab.report.style import describe, looks, panels, spread_out
from genlab.report.table import DATA, LATENT, MODEL, NOT_RANKED, Group, Table, pareto_front
from genlab.report.text import arrow, number, short

MOST_GROUPS, MOST_KEYS, MOST_MAPS, MOST_VALUES, MOST_CURVES, MOST_POINTS = 6, 4, 6, 12, 12, 80
COSTS = ("seconds", "images_seen", "parameters")
HEALTH = ("health/diversity", "health/active_units", "health/distinctness", "health/saturation")


class Drawing(NamedTuple):
    """A figure as a PNG file."""

    name: str
    title: str
    caption: str
    png: bytes
    width: int  # at which it is shown, in pixels of a page


def draw_figures(table: Table) -> list[Drawing]:
    """Draw all figures that a sweep has something to show in, in the order of the page."""
    with style.house_style():
        return [*islice(_scores(table), MOST_KEYS), *_maps(table), *_costs(table), *_curves(table)]


def _drawing(name: str, title: str, caption: str, figure: Figure) -> Drawing:
    name = shorten(file_name(name.replace("/", "_")), LONGEST - len(".png"))
    return Drawing(name, title, caption, style.png(figure), round(96 * figure.get_figwidth()))


def _scores(table: Table) -> Iterator[Drawing]:
    """Against each swept key of which one model has several numbers in a group, the latent dimension first.

    A panel for each protocol, and in it a line for each setting that is otherwise the same.
    """
    known, keys = looks(table.models), [key for key in table.keys if not is_seed(key)]
    for key in sorted(keys, key=lambda key: key != LATENT):
        numbers = table.numbers(key)
        groups = [group._replace(rows=group.rows.assign(x=numbers).dropna(subset="x")) for group in table.groups]
        groups = [group for group in groups if group.rows.groupby("model")["x"].nunique().gt(1).any()][:MOST_GROUPS]
        if not groups:
            continue
        figure, axes = panels(len(groups), size=(4.6, 3.4))
        others = [other for other in keys if other not in (key, MODEL, DATA)]
        for axis, (title, stamp, rows) in zip(axes, groups, strict=True):
            for (model, *_), line in rows.groupby(["model", *others], sort=False):
                points = line.groupby("x")["score"].agg(["mean", "min", "max"])
                mean, low, high = points.to_numpy().T
                bars = mean - low, high - mean
                axis.errorbar(points.index, mean, bars, **known[str(model)], capsize=3, lw=1.4, alpha=0.9)
            style.ticks_at(axis, sorted(set(rows["x"])))
            spread_out(axis.yaxis, rows["score"])
            describe(axis, title, key, f"{stamp.metric}  ↓ lower is better")
        style.legend(figure, known, _models(groups))
        label = table.labels[key]
        yield _drawing(
            f"score_against_{label}",
            f"Score against {'latent dimension' if key == LATENT else label}",
            "Lower is better. Points are means, bars reach from the lowest to the highest value "
            "of the runs that differ by their seed alone.",
            figure,
        )


def _models(groups: Sequence[Group]) -> set[str]:
    return {model for group in groups for model in group.rows["model"]}


def _maps(table: Table) -> Iterator[Drawing]:
    """The score, and metrics that many runs have, over the two keys that matter most, a panel for each data set.

    Losses of different models are different quantities, so that in a map of them each model has colours of its own.
    """
    frame = table.frame
    counts = frame[table.keys].astype(str).nunique()
    keys = [key for key in table.keys if key != DATA and not is_seed(key) and counts[key] <= MOST_VALUES]
    keys.sort(key=lambda key: (key not in (MODEL, LATENT), key != MODEL, -counts[key]))
    keys = [*keys, *(key for key in table.keys if key == DATA)][:2]
    if len(keys) < 2:
        return
    yield from _map(table, "score", keys, [(title, rows) for title, _, rows in table.groups if len(rows) > 1])
    common = [key for key in (*_losses(table, "val/"), *HEALTH) if key in table.metrics]
    for key in [key for key in common if frame[key].notna().mean() >= 0.3][:MOST_MAPS]:
        rows = frame[~frame["status"].isin(NOT_RANKED)].dropna(subset=key)
        yield from _map(table, key, keys, rows.groupby("data"), by_row=keys[0] == MODEL and key.startswith("val/"))


def _losses(table: Table, phase: str) -> list[str]:
    return [key for key in table.metrics if key.startswith(phase) and "accuracy" not in key]


def _map(
    table: Table, metric: str, keys: Sequence[str], parts: Iterable[tuple[Any, pd.DataFrame]], by_row: bool = False
) -> Iterator[Drawing]:
    """Panels side by side, each with a title and the rows of the table that it shows. Colours compare within a row
    alone, or within a panel.
    """
    maps = [(str(title), rows.pivot_table(metric, keys[0], keys[1])) for title, rows in parts][:MOST_GROUPS]
    if not maps:
        return
    labels = [table.labels[key] for key in keys]
    tallest, widest = np.max([grid.shape for _, grid in maps], axis=0)
    figure, axes = panels(len(maps), size=(1.35 + max(1.5, 0.72 * widest), 0.65 + 0.4 * tallest))
    for axis, (title, grid) in zip(axes, maps, strict=True):
        values, tiny = grid.to_numpy(float), np.finfo(float).tiny
        low, high = (find(values, axis=1 if by_row else None, keepdims=True) for find in (np.nanmin, np.nanmax))
        shades = (values - low + tiny) / (high - low + 2 * tiny)  # a half where all are equal
        shades = 1 - shades if arrow(metric) else shades
        axis.imshow(shades, style.SCALE, aspect="auto", vmin=0, vmax=1)
        for (row, column), value in np.ndenumerate(values):
            text = short(float(f"{value:.3g}")) if np.isfinite(value) else "–"
            colour = "white" if shades[row, column] > 0.6 else "black"
            axis.text(column, row, text, ha="center", va="center", color=colour)
        axis.set_xticks(range(len(grid.columns)), [shorten(number(name), 26) for name in grid.columns])
        axis.set_yticks(range(len(grid.index)), [shorten(number(name), 26) for name in grid.index])
        axis.grid(visible=False)
        describe(axis, title, labels[1], labels[0])
    caption = "Lower is better and has the stronger colour. " if arrow(metric) else ""
    if by_row:
        caption += "Colours compare within a row: a loss is another quantity in another model. "
    title = f"{'Score' if metric == 'score' else metric} over {' and '.join(labels)}{arrow(metric)}"
    yield _drawing(f"heat_{metric}", title, f"{caption}Means over all that differs otherwise.", figure)


def _costs(table: Table) -> Iterator[Drawing]:
    """A row for each protocol and a column for each cost."""
    known, groups = looks(table.models), [group for group in table.groups if len(group.rows) > 1][:MOST_GROUPS]
    kinds = [kind for kind in COSTS if any(rows[kind].nunique() > 1 for _, _, rows in groups)]
    if not kinds:
        return
    figure, axes = panels(len(kinds) * len(groups), len(kinds))
    places = [(group, kind) for group in groups for kind in kinds]
    for axis, ((title, stamp, rows), kind) in zip(axes, places, strict=True):
        points = rows[["model", kind, "score"]].astype({kind: float}).dropna()
        for model, own in points.groupby("model"):
            axis.scatter(own[kind].to_numpy(), own["score"].to_numpy(), s=22, **known[str(model)], alpha=0.8)
        front = pareto_front(points[[kind, "score"]])
        axis.plot(*front.to_numpy().T, color=style.INK, linewidth=1, drawstyle="steps-post", zorder=1)
        spread_out(axis.xaxis, points[kind], 8)
        spread_out(axis.yaxis, rows["score"])
        describe(axis, title, f"{kind.replace('_', ' ')}  ↓", f"{stamp.metric}  ↓")
    style.legend(figure, known, _models(groups), Line2D([], [], color=style.INK, linewidth=1, label="Pareto front"))
    yield _drawing(
        "score_against_cost",
        "Score against what it costs",
        "Lower left is better. The line is the Pareto front: runs that no other beats at the same cost or less.",
        figure,
    )


def _curves(table: Table) -> Iterator[Drawing]:
    """A panel for each metric and data set: scores, then losses of validation, else of training. A line a setting."""
    keys = table.frame["score_key"].dropna().unique()
    while_training = {key: f"val/{key.partition('/')[2]}" for key in keys}  # a fitted prior is scored at the end alone
    scores = dict.fromkeys(own if (own := while_training[key]) in {*keys, *table.metrics} else key for key in keys)
    data_sets = list(table.frame[table.frame["model"] != ""].groupby("data"))
    places = []
    for key in (*scores, *(_losses(table, "val/") or _losses(table, "train/"))):
        for data, rows in data_sets:
            curves = {n: curve for n in rows.index if len(curve := table.runs[n - 1].curve(key))}
            if curves:
                places.append((key, str(data), curves))
    if not places:
        return
    places = places[:MOST_CURVES]
    n_columns = {2: 2, 4: 4}.get(len({data for _, data, _ in places}), 3)  # a metric's panels stand side by side
    figure, axes = panels(len(places), n_columns, (12 / n_columns, 3.1))
    known = looks(table.models)
    for axis, (key, data, curves) in zip(axes, places, strict=True):
        settings = [own.index for _, own in table.settings[[*curves]].groupby(table.settings, sort=False)]
        width, alpha = (1.3, 0.9) if len(settings) <= 20 else (0.6, 0.5)
        for seeds in settings:
            parts = [curves[n].groupby(level=0).last() for n in seeds]  # a run may have written a row twice
            every, look = pd.concat(parts, axis=1), known[table.frame["model"][seeds[0]]]
            every = every.dropna() if every.notna().all(axis=1).any() else every  # where all seeds have got to
            few = thinned(every.mean(axis=1), MOST_POINTS)
            axis.plot(few.index, few, color=look["color"], lw=width, alpha=alpha)
            axis.plot(few.index[-1], few.iloc[-1], **look, ms=3, alpha=alpha)
            ends = every.loc[few.index].agg(["min", "max"], axis=1)
            axis.fill_between(ends.index, ends["min"], ends["max"], color=look["color"], alpha=0.2, lw=0)
        _limit(axis, pd.concat(curves.values()))
        better = "  ↓" if key in scores else arrow(key)
        describe(axis, f"{key} on {data}", "images seen", key.partition("/")[2] + better)
    style.legend(figure, known, known)
    yield _drawing(
        "curves",
        "Training curves",
        "Scores and losses over the images seen: means over seeds, in a band from the lowest to the highest. "
        "Outliers beyond the panel are cut off. "
        "Losses of different models are different quantities.",
        figure,
    )


def _limit(axis: Axes, values: pd.Series) -> None:
    """Show nearly all values: a run that diverges does not press the others flat."""
    low, high = values.quantile([0.01, 0.97])
    margin = 0.06 * (high - low) or 0.5
    axis.set(xlim=(0, values.index.max() * 1.03), ylim=(low - margin, high + margin))
    spread_out(axis.yaxis, [low, high])
    if axis.get_yscale() == "log":
        axis.set_ylim(low / 1.1, high * 1.1)
    spread_out(axis.xaxis, [])
