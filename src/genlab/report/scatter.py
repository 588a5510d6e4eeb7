"""Scores against a swept number, and against what they cost."""

from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from genlab.report.cell import Cell
from genlab.report.keys import DATA, LATENT, is_seed
from genlab.report.style import Look, Theme, describe, legend, looks, panels, spread_out, ticks_at
from genlab.report.sweep import Group, Sweep, pareto_front
from genlab.report.text import DOWN

MOST_GROUPS = 6
COSTS: dict[str, Callable[[Cell], float | None]] = {
    "seconds": lambda cell: cell.seconds,
    "images seen": lambda cell: cell.number("images_seen"),
    "parameters": lambda cell: cell.number("parameters", "total"),
}


def numeric_keys(sweep: Sweep) -> list[str]:
    """Swept keys of which one model has several numbers in a group, the latent dimension first; the seed is none."""

    def several(key: str) -> bool:
        found: dict[tuple[int, str], set[float]] = {}
        for n, group in enumerate(sweep.groups[:MOST_GROUPS]):
            for cell in group.cells:
                if _is_number(cell.config.get(key)):
                    found.setdefault((n, cell.model), set()).add(cell.config[key])
        return any(len(values) > 1 for values in found.values())

    keys = [key for key in sweep.keys if not is_seed(key)]
    return sorted((key for key in keys if several(key)), key=lambda key: key != LATENT)


def against(sweep: Sweep, key: str, theme: Theme) -> Figure:
    """Draw a panel for each protocol, and in it a line for each setting that is otherwise the same."""
    groups = [group for group in sweep.groups if len(_numbers(group.cells, key)) > 1][:MOST_GROUPS]
    figure, axes = panels(len(groups), theme, size=(4.6, 3.4))
    known = looks(sweep.models)
    others = [other for other in sweep.keys if other not in (key, DATA) and not is_seed(other)]
    for axis, group in zip(axes, groups, strict=True):
        cells = [cell for cell in group.cells if _is_number(cell.config.get(key))]
        for series in _by(cells, others):
            _line(axis, series, key, known[series[0].model])
        ticks_at(axis, _numbers(cells, key))
        spread_out(axis.yaxis, _scores(cells))
        describe(axis, theme, group.title, key, f"{group.stamp.metric}  {DOWN}")
    legend(figure, theme, {model: look for model, look in known.items() if _has(groups, model)})
    return figure


def comparable(sweep: Sweep) -> list[Group]:
    """The largest groups of at least two cells."""
    return [group for group in sweep.groups if len(group.cells) > 1][:MOST_GROUPS]


def varying_costs(sweep: Sweep) -> list[str]:
    """Costs of which the cells have several values."""
    cells = [cell for group in comparable(sweep) for cell in group.cells]
    return [label for label in COSTS if len({_cost(cell, label) for cell in cells} - {None}) > 1]


def costs(sweep: Sweep, theme: Theme) -> Figure:
    """Draw a row for each protocol and a column for each cost."""
    groups, kinds, known = comparable(sweep), varying_costs(sweep), looks(sweep.models)
    figure, axes = panels(len(kinds) * len(groups), theme, len(kinds))
    places = [(group, label) for group in groups for label in kinds]
    for axis, (group, label) in zip(axes, places, strict=True):
        points = [(cell, cost) for cell in group.cells if (cost := _cost(cell, label)) is not None]
        for model, look in known.items():
            own = [(cost, cell.score.value) for cell, cost in points if cell.model == model and cell.score]
            axis.scatter(*zip(*own, strict=True) if own else ([], []), s=22, c=look.colour, marker=look.mark, alpha=0.8)
        front = pareto_front((cost, cell.score.value) for cell, cost in points if cell.score)
        if front:
            axis.plot(*zip(*front, strict=True), color=theme.ink, linewidth=1, drawstyle="steps-post", zorder=1)
        spread_out(axis.xaxis, [cost for _, cost in points], 8)
        spread_out(axis.yaxis, _scores(group.cells))
        describe(axis, theme, group.title, f"{label}  ↓", f"{group.stamp.metric}  ↓")
    front_line = Line2D([], [], color=theme.ink, linewidth=1, label="Pareto front")
    legend(figure, theme, {model: look for model, look in known.items() if _has(groups, model)}, [front_line])
    return figure


def _line(axis: Axes, cells: Sequence[Cell], key: str, look: Look) -> None:
    """Means over cells of equal x, with bars from the lowest to the highest."""
    xs = _numbers(cells, key)
    scores = [_scores([cell for cell in cells if float(cell.config[key]) == x]) for x in xs]
    means = [sum(found) / len(found) for found in scores]
    below = [mean - min(found) for mean, found in zip(means, scores, strict=True)]
    above = [max(found) - mean for mean, found in zip(means, scores, strict=True)]
    axis.errorbar(
        xs,
        means,
        [below, above],
        color=look.colour,
        marker=look.mark,
        markersize=5,
        capsize=3,
        linewidth=1.4,
        alpha=0.9,
    )


def _numbers(cells: Sequence[Cell], key: str) -> list[float]:
    return sorted({float(cell.config[key]) for cell in cells if _is_number(cell.config.get(key))})


def _by(cells: Sequence[Cell], keys: Sequence[str]) -> list[list[Cell]]:
    """Cells that agree in all of some keys."""
    found: dict[tuple[str, ...], list[Cell]] = {}
    for cell in cells:
        found.setdefault(tuple(str(cell.config.get(key)) for key in keys), []).append(cell)
    return list(found.values())


def _scores(cells: Sequence[Cell]) -> list[float]:
    return [cell.score.value for cell in cells if cell.score]


def _cost(cell: Cell, label: str) -> float | None:
    return COSTS[label](cell)


def _has(groups: Sequence[Group], model: str) -> bool:
    return any(cell.model == model for group in groups for cell in group.cells)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
