"""Figures that several claims draw."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from torch import Tensor

from genlab.images import grid
from genlab.report.style import COLOURS, INK, describe, panels
from genlab.significance import Interval


def images_figure(rows: Mapping[str, Tensor]) -> Figure:
    """A row of images (B, C, H, W) in [-1, 1] for each name, with the name before it."""
    figure = Figure(figsize=(8.2, 0.56 * len(rows) + 0.1), layout="constrained")
    axes = figure.subplots(len(rows), squeeze=False)[:, 0]
    for axis, (name, images) in zip(axes, rows.items(), strict=True):
        axis.imshow(grid(images, len(images)).permute(1, 2, 0).numpy(), interpolation="nearest")
        axis.set(xticks=[], yticks=[])
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
        axis.grid(False)
        axis.spines[:].set_visible(False)
    return figure


def logarithmic(axis: Any) -> None:
    """Use a logarithmic scale (`axis` is an x or y axis), with plain numbers: the style shows no formulas."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def bars(panels_of: Mapping[str, Mapping[str, Interval]], y: str) -> Figure:
    """A panel for each title: a bar for each name, with its interval."""
    figure, axes = panels(len(panels_of), size=(4.2, 3.1))
    for axis, (title, found) in zip(axes, panels_of.items(), strict=True):
        heights, halves = zip(*found.values(), strict=True)
        axis.bar(list(found), heights, yerr=halves, color=COLOURS[0], ecolor=INK, capsize=3)
        describe(axis, title, "", y)
        axis.grid(False, axis="x")
    return figure
