"""How figures look: one colour and mark a model everywhere. The page inverts them where people like it dark."""

import warnings
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from itertools import cycle
from math import ceil
from textwrap import fill
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator
from PIL import Image

from genlab.report.text import number, short

# Okabe and Ito's colours, which people of any colour vision tell apart, without yellow and black.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8b6bb8")
MARKS = "os^DvPX*<>h"
INK, FAINT = "#3b4048", "#e6e9ed"
SCALE = LinearSegmentedColormap.from_list("", (FAINT, "#0b4f8a"))
SETTINGS: Any = {
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "legend.frameon", "text.parse_math"), False),
    **dict.fromkeys(("axes.grid", "axes.axisbelow"), True),
    **dict.fromkeys(("font.size", "axes.titlesize", "axes.labelsize", "legend.fontsize"), 8.5),
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize"), 8),
    **{"axes.titleweight": "bold", "axes.titlelocation": "left", "axes.linewidth": 0.7, "lines.markersize": 5},
    **{"grid.color": FAINT, "grid.linewidth": 0.6, "figure.dpi": 130},
    **dict.fromkeys(("figure.constrained_layout.h_pad", "figure.constrained_layout.w_pad"), 0.1),  # inches
}

Looks = dict[str, dict[str, Any]]  # color and marker of each model


def looks(models: Sequence[str]) -> Looks:
    """A colour and a mark for each model; from the eighth on colours come again with another mark."""
    pairs = zip(models, cycle(COLOURS), cycle(MARKS), strict=False)
    return {model: {"color": colour, "marker": mark} for model, colour, mark in pairs}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the style of the page, and texts as they are: a `$` begins no formula, odd letters are no warning."""
    with matplotlib.rc_context(SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font|constrained_layout not applied")
        yield


def panels(n: int, n_columns: int = 3, size: tuple[float, float] = (4.0, 3.1)) -> tuple[Figure, list[Axes]]:
    """A figure of n panels, each of a size in inches with its labels, and their axes."""
    n_columns = min(n_columns, n)
    n_rows = ceil(n / n_columns)
    figure = Figure(figsize=(max(5.6, size[0] * n_columns), size[1] * n_rows + 0.35), layout="constrained")
    return figure, [figure.add_subplot(n_rows, n_columns, place) for place in range(1, n + 1)]


def describe(axis: Axes, title: str, x: str, y: str) -> None:
    """Set title and labels of a panel; titles that are too long for one line, at 9 pixels a letter, are wrapped."""
    axis.set(title=fill(title, round(axis.bbox.width / 9)), xlabel=x, ylabel=y)


def legend(figure: Figure, known: Looks, shown: Container[object], *more: Line2D) -> None:
    """Name the models that are shown below all panels."""
    handles = [*(Line2D([], [], **look, label=model) for model, look in known.items() if model in shown), *more]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 9))


def spread_out(axis: Any, values: Iterable[float], ratio: float = 20) -> None:
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


def png(figure: Figure) -> bytes:
    """Encode a figure as a small PNG with a palette."""
    drawn, content = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png")
    few = Image.open(drawn).convert("RGB").quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(content, "PNG", optimize=True)
    return content.getvalue()
