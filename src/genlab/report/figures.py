"""The figures of a report: which there are, and how each is drawn on light and dark paper."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from matplotlib.figure import Figure

from genlab.names import LONGEST, shorten
from genlab.report import heat, scatter
from genlab.report.curves import curve_keys, draw_curves
from genlab.report.keys import LATENT
from genlab.report.style import DARK, LIGHT, Theme, as_they_are, png
from genlab.report.sweep import Sweep

MOST_KEYS, MOST_MAPS = 4, 6


class Plot(NamedTuple):
    """What to draw. It can be drawn on any paper."""

    name: str  # of its file
    title: str
    caption: str
    draw: Callable[[Theme], Figure]


class Drawn(NamedTuple):
    """A figure as two PNG files."""

    name: str
    title: str
    caption: str
    light: bytes
    dark: bytes
    width: int  # at which it is shown, in pixels of a page


def drawn_figures(sweep: Sweep) -> Iterator[Drawn]:
    """Draw all figures that a sweep has something to show in."""
    for plot in plots(sweep):
        with as_they_are():
            figures = {theme: plot.draw(theme) for theme in (LIGHT, DARK)}
            light, dark = (png(figure) for figure in figures.values())
        name = shorten(re.sub(r"[^\w.-]+", "_", plot.name), LONGEST - len(".png"))
        yield Drawn(name, plot.title, plot.caption, light, dark, round(96 * figures[LIGHT].get_figwidth()))


def plots(sweep: Sweep) -> Iterator[Plot]:
    """The figures, in the order of the page."""
    for key in scatter.numeric_keys(sweep)[:MOST_KEYS]:
        label = "latent dimension" if key == LATENT else sweep.labels[key]
        yield Plot(
            f"score_against_{sweep.labels[key]}",
            f"Score against {label}",
            "Lower is better. Points are means, bars reach from the lowest to the highest value "
            "of the runs that differ by their seed alone.",
            partial(scatter.against, sweep, key),
        )
    for chart in heat.charts(sweep, MOST_MAPS):
        yield Plot(chart.name, chart.title, chart.caption, partial(heat.draw, chart))
    if scatter.varying_costs(sweep):
        yield Plot(
            "score_against_cost",
            "Score against what it costs",
            "Lower left is better. The line is the Pareto front: runs that no other beats at the same cost or less.",
            partial(scatter.costs, sweep),
        )
    if keys := curve_keys(sweep):
        yield Plot(
            "curves",
            "Training curves",
            "Scores and losses over the images seen, a line a run. Outliers beyond the panel are cut off. "
            "Losses of different models are different quantities.",
            partial(draw_curves, sweep, keys),
        )
