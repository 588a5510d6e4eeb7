"""Images as coloured points of a plane: a picture, or a page that shows the image under the mouse."""

from dataclasses import dataclass
from io import BytesIO
from math import ceil
from typing import Any, BinaryIO, NamedTuple

import matplotlib
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_hex
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from genlab.data.decode import UNLABELLED
from genlab.data.labels import LabelColumn
from genlab.foreign import printable
from genlab.report.style import house_style
from genlab.report.text import short
from genlab.report.thumbnails import data_uri

MOST_IN_LEGEND = 20  # classes; more are shown by a colour bar of their numbers
FAINT, SCALE = "#b4b4b4", "viridis"  # of images without a label, and of numbers


class Colours(NamedTuple):
    """The colour of each point, and what they mean: classes by name, or else the lowest and highest number."""

    points: list[str]
    legend: dict[str, str]
    ends: tuple[float, float] | None


@dataclass
class Scatter:
    """Images at the places of their codes.

    Args:
        points: (N, 2).
        codes: (N, latent_dim).
        images: (N, C, H, W) uint8, small.
        column: the label that colours them; None for none.
        labels: (N,) or (N, entries), all that an `.npz` holds.
        title: what is shown.
    """

    points: np.ndarray
    codes: np.ndarray
    images: Tensor
    column: LabelColumn | None
    labels: np.ndarray
    title: str

    def write(self, file: BinaryIO, ending: str) -> None:
        """Write a picture, an `.html` page, or the arrays as an `.npz`."""
        if ending == ".npz":
            np.savez_compressed(file, codes=self.codes, points=self.points, labels=self.labels)
        elif ending == ".html":
            file.write(self.page().encode("utf-8", "replace"))
        else:
            self.picture().save(file, format=Image.registered_extensions()[ending])

    def picture(self) -> Image.Image:
        """The points with a legend or a colour bar, as an RGB picture."""
        colours, content = colours_of(self.column, len(self.points)), BytesIO()
        with house_style():
            figure = Figure(figsize=(8, 6.4), layout="constrained")
            axes = figure.add_subplot()
            size = float(np.clip(6000 / len(self.points), 3, 30))
            axes.scatter(self.points[:, 0], self.points[:, 1], s=size, c=colours.points, linewidths=0, alpha=0.8)
            axes.set(title=self.title, xlabel="first coordinate", ylabel="second coordinate")
            axes.set_aspect("equal", "datalim")
            marks = [axes.scatter([], [], s=24, c=colour) for colour in colours.legend.values()]
            title = self.column.name if self.column else ""
            if colours.ends:
                figure.colorbar(ScalarMappable(Normalize(*colours.ends), SCALE), ax=axes, label=title)
            elif colours.legend:
                figure.legend(marks, [*colours.legend], loc="outside right upper", title=title)
            figure.savefig(content, format="png")
        return Image.open(content).convert("RGB")

    def page(self) -> str:
        """One file that needs no other: points, and all images as one picture."""
        colours, column = colours_of(self.column, len(self.points)), self.column
        middle = (self.points.max(0) + self.points.min(0)) / 2
        places = (self.points - middle) / max(float(np.ptp(self.points, axis=0).max()), 1e-12)  # within a unit square
        sprite, side, n_columns = _sprite(self.images)
        loader = PackageLoader("genlab.modes", "template")
        environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
        page = environment.get_template("scatter.html").render(
            title=self.title,
            places=places.round(4).tolist(),
            colours=colours.points,
            texts=[_text(column, value) for value in column.values.tolist()] if column else [],
            name=column.name if column else "",
            legend=colours.legend,
            ends=[short(end) for end in colours.ends] if colours.ends else [],
            scale=[to_hex(colour) for colour in matplotlib.colormaps[SCALE](np.linspace(0, 1, 9))],
            sprite={"uri": data_uri(sprite, "png"), "side": side, "n_columns": n_columns},
        )
        return printable(page)


def colours_of(column: LabelColumn | None, n: int) -> Colours:
    """Colour n points by a label: classes as far apart as can be, or by a scale where there are many, or numbers."""
    if column is None:
        return Colours([FAINT] * n, {}, None)
    values = column.values.double().numpy()
    if 0 < len(column.classes) <= MOST_IN_LEGEND:
        palette = matplotlib.colormaps["tab10" if len(column.classes) <= 10 else "tab20"]
        by_class = {number: to_hex(palette(place)) for place, number in enumerate(column.classes)}
        legend = {name: by_class[number] for number, name in column.classes.items()}
        points = [by_class.get(int(value), FAINT) for value in values]
        return Colours(points, legend | ({"no label": FAINT} if FAINT in points else {}), None)
    is_known = values != UNLABELLED if column.classes else np.isfinite(values)
    low, high = float(values[is_known].min()), float(values[is_known].max())
    shades = matplotlib.colormaps[SCALE]((values - low) / max(high - low, 1e-12))
    points = [to_hex(shade) if known else FAINT for shade, known in zip(shades, is_known, strict=True)]
    return Colours(points, {}, (low, high))


def _text(column: LabelColumn, value: Any) -> str:
    return short(value) if not column.classes else column.classes.get(int(value), "no label")


def _sprite(images: Tensor) -> tuple[bytes, int, int]:
    """Images (N, C, H, W) as one picture of a square, encoded as PNG; the side of each, and how many make a row."""
    pixels = images.permute(0, 2, 3, 1).numpy()
    n, side, n_columns = len(pixels), pixels.shape[1], ceil(len(pixels) ** 0.5)
    sheet = np.zeros((ceil(n / n_columns) * side, n_columns * side, pixels.shape[3]), np.uint8)
    for number, image in enumerate(pixels):
        y, x = number // n_columns * side, number % n_columns * side
        sheet[y : y + side, x : x + side] = image
    content = BytesIO()
    Image.fromarray(sheet[:, :, 0] if sheet.shape[2] == 1 else sheet).save(content, "PNG", optimize=True)
    return content.getvalue(), side, n_columns
