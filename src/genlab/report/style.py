"""How figures look: one colour and mark a model everywhere, on light and on dark paper."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from textwrap import fill
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator
from PIL import Image

from genlab.report.text import number

# Okabe and Ito's colours, which people of any colour vision tell apart, without yellow and black.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8b6bb8")
MARKS = "os^DvPX*<>h"
DPI = 130
ABOVE, BELOW, LEGEND = 0.5, 0.55, 0.35  # room around panels, in inches


@dataclass(frozen=True)
class Theme:
    """Colours of paper and ink."""

    name: str
    paper: str
    ink: str
    faint: str
    strong: str  # the end of a colour scale, of which `faint` is the start


LIGHT = Theme("light", "#ffffff", "#3b4048", "#e6e9ed", "#0b4f8a")
DARK = Theme("dark", "#1b1e23", "#c3c8d0", "#343941", "#6ab7ff")


class Look(NamedTuple):
    """Of a model."""

    colour: str
    mark: str


def looks(models: Sequence[str]) -> dict[str, Look]:
    """A colour and a mark for each model; from the eighth on colours come again with another mark."""
    return {model: Look(COLOURS[n % len(COLOURS)], MARKS[n % len(MARKS)]) for n, model in enumerate(models)}


def panels(
    n: int,
    theme: Theme,
    n_columns: int = 3,
    size: tuple[float, float] = (4.0, 3.1),
    left: float = 0.78,
    foot: float = LEGEND,
) -> tuple[Figure, Any]:
    """A figure of n panels, and their axes. (Fixed margins, as matplotlib's own layout takes longer than the drawing.)

    Args:
        n, n_columns: numbers of panels.
        theme: paper and ink.
        size: of a panel with its labels, in inches.
        left, foot: room for the labels of its y axis, and for a legend below all panels, in inches.
    """
    n_columns = min(n_columns, n)
    n_rows = -(-n // n_columns)
    width, height = max(5.6, size[0] * n_columns), size[1] * n_rows + foot
    figure = Figure(figsize=(width, height), facecolor=theme.paper, dpi=DPI)
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    inner = (width / n_columns - left - 0.15, size[1] - ABOVE - BELOW)  # of the axes
    figure.subplots_adjust(
        left=left / width,
        right=1 - 0.15 / width,
        top=1 - ABOVE / height,
        bottom=(BELOW + foot) / height,
        wspace=(left + 0.15) / inner[0],
        hspace=(ABOVE + BELOW) / inner[1],
    )
    for axis in axes[n:]:
        axis.remove()
    for axis in axes[:n]:
        _dress(axis, theme)
    return figure, axes[:n]


def _dress(axis: Axes, theme: Theme) -> None:
    axis.set_facecolor(theme.paper)
    axis.tick_params(colors=theme.ink, labelsize=8, length=3)
    axis.grid(color=theme.faint, linewidth=0.6)
    axis.set_axisbelow(True)
    for side, spine in axis.spines.items():
        spine.set(color=theme.ink, linewidth=0.7, visible=side in ("left", "bottom"))


def describe(axis: Axes, theme: Theme, title: str, x: str, y: str) -> None:
    """Say what a panel shows; titles that are too long for one line go into two."""
    inches = axis.get_window_extent().width / DPI
    axis.set_title(fill(title, round(15 * inches)), color=theme.ink, fontsize=8.5, fontweight="bold", loc="left")
    axis.set_xlabel(x, color=theme.ink, fontsize=8.5)
    axis.set_ylabel(y, color=theme.ink, fontsize=8.5)


def legend(figure: Figure, theme: Theme, known: dict[str, Look], more: Sequence[Line2D] = ()) -> None:
    """Name the models below all panels."""
    handles = [Line2D([], [], color=look.colour, marker=look.mark, markersize=5, label=m) for m, look in known.items()]
    every = [*handles, *more]
    box = figure.legend(handles=every, loc="lower center", ncols=min(len(every), 9), frameon=False, fontsize=8.5)
    for text in box.get_texts():
        text.set_color(theme.ink)


def spread_out(axis: Any, values: Sequence[float], ratio: float = 20) -> None:
    """Use a logarithmic scale (`axis` is an x or y axis) where positive values differ by more than a ratio."""
    found = [value for value in values if value == value]
    if found and min(found) > 0 and max(found) / min(found) > ratio:
        axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axis.set_minor_formatter(NullFormatter())


def ticks_at(axis: Axes, values: Sequence[float]) -> None:
    """Mark the x axis at the few values that there are."""
    if min(values) > 0 and max(values) / min(values) >= 4:
        axis.set_xscale("log", base=2)
    if len(values) <= 8:
        axis.set_xticks(values, [number(value) for value in values])
        axis.xaxis.set_minor_locator(NullLocator())


def short(value: float) -> str:
    """As in `12k`."""
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{sign}"
    return f"{value:.4g}"


@contextmanager
def as_they_are() -> Iterator[None]:
    """Draw texts as they are: a `$` begins no formula, and letters that the font has not are boxes, without a word."""
    with matplotlib.rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


def png(figure: Figure) -> bytes:
    """Print a figure as a small PNG with a palette."""
    canvas, content = FigureCanvasAgg(figure), BytesIO()
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    few = picture.quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)  # keeps rare colours
    few.save(content, "PNG", optimize=True)
    return content.getvalue()
