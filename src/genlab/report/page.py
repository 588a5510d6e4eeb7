"""The page: what it says, handed to a template that says how."""

import csv
from collections.abc import Mapping, Sequence
from datetime import datetime
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from genlab.report.cell import Cell
from genlab.report.commands import cell_command, sweep_command, traceback
from genlab.report.figures import Drawn
from genlab.report.keys import differing, value
from genlab.report.pictures import data_uri, newest, over_time
from genlab.report.sparks import HEIGHT, WIDTH, sparks
from genlab.report.style import looks
from genlab.report.sweep import Sweep, differing_fields
from genlab.report.text import clipped, direction, duration, number

MOST_BEST = 6
MINOR = ("train/", "health/", "test/")  # metrics of which the table shows the columns on demand; so of accuracies of D
NUMERIC = ("rank", "score", "epochs", "images_seen", "seconds", "images_per_second", "parameters")


class Column(NamedTuple):
    """Of the table."""

    key: str  # in report.csv
    label: str
    hint: str
    is_minor: bool
    is_numeric: bool


class Section(NamedTuple):
    """The ranked cells of one protocol, or those without a rank."""

    title: str
    note: str
    columns: Sequence[Column]
    rows: Sequence[tuple[int, Mapping[str, str]]]  # number of the cell, and what report.csv says of it


def render(sweep: Sweep, figures: Sequence[Drawn], again: str, folder: Path | None) -> str:
    """Return the HTML. Everything that comes from a run is escaped."""
    environment = Environment(
        loader=PackageLoader("genlab.report", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _displayed, "clipped": clipped, "duration": duration, "uri": data_uri}
    implied = [key for key in differing(sweep.cells) if key not in sweep.keys]
    cells = [_cell(sweep, cell, n, implied) for n, cell in enumerate(sweep.in_order, 1)]
    return environment.get_template("page.html").render(
        sweep=sweep,
        head=_head(sweep),
        sections=_sections(sweep),
        cells=cells,
        sheets=_sheets(sweep, cells),
        best=[cells[number - 1] for number in _first_of_groups(sweep)],
        figures=figures,
        protocols=[group.stamp.as_dict() for group in sweep.groups],
        differing=differing_fields([group.stamp for group in sweep.groups]),
        looks=looks(sweep.models),
        spark_size=(WIDTH, HEIGHT),
        sweep_command=sweep_command(folder) if folder else None,
        again=again,
        now=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
    )


def _head(sweep: Sweep) -> dict[str, Any]:
    """Totals, when, and of which code."""

    def found(key: str) -> list[str]:
        return sorted({str(cell.summary[key]) for cell in sweep.cells if cell.summary.get(key)})

    versions: dict[str, set[str]] = {}
    for cell in sweep.cells:
        known = cell.summary.get("versions")
        for name, version in known.items() if isinstance(known, Mapping) else ():
            versions.setdefault(str(name), set()).add(str(version))
    starts = found("started")
    return {
        "when": " to ".join(dict.fromkeys(start[:16].replace("T", " ") for start in (*starts[:1], *starts[-1:]))),
        "seconds": sum(cell.seconds or 0 for cell in sweep.cells),
        "images": sum(cell.number("images_seen") or 0 for cell in sweep.cells),
        "commits": found("git_commit"),
        "versions": {name: ", ".join(sorted(all_of)) for name, all_of in versions.items()},
    }


def _sections(sweep: Sweep) -> list[Section]:
    """The table, a part for each protocol, in the very words of report.csv."""
    rows = list(csv.DictReader(StringIO(sweep.table.to_csv(index=False))))
    numbered = list(enumerate(rows, 1))
    sections = []
    for n, group in enumerate(sweep.groups, 1):
        fields = differing_fields([other.stamp for other in sweep.groups])
        own = ", ".join(f"{name} {number(getattr(group.stamp, name)) or '–'}" for name in fields)
        note = f"Not ranked against the other groups, whose protocols differ. Here: {own}." if own else ""
        members = [(i, row) for i, row in numbered if row["group"] == str(n)]
        sections.append(Section(group.title, note, _columns(sweep, members), members))
    if others := [(i, row) for i, row in numbered if not row["group"]]:
        note = "Runs that failed, that are damaged, or that have no score whose protocol is known."
        sections.append(Section("Not ranked", note, _columns(sweep, others, ranked=False), others))
    return sections


def _columns(sweep: Sweep, rows: Sequence[tuple[int, Mapping[str, str]]], ranked: bool = True) -> list[Column]:
    """Those in which a row says something."""
    keys = [str(key) for key in sweep.table.columns if key != "group" and (ranked or key != "rank")]
    return [_column(sweep, key) for key in keys if any(row[key] for _, row in rows)]


def _column(sweep: Sweep, key: str) -> Column:
    better = direction(key, {"score"})
    label = key.replace("_", " ") if key in NUMERIC else sweep.labels.get(key, key)
    is_metric = key in sweep.metrics
    return Column(
        key,
        f"{label} {better[:1]}".strip(),
        f"{key}, {better}" if better else key,
        is_minor=is_metric and (key.startswith(MINOR) or "accuracy" in key),
        is_numeric=is_metric or key in NUMERIC,
    )


def _cell(sweep: Sweep, cell: Cell, n: int, implied: Sequence[str]) -> dict[str, Any]:
    """What the page shows of one cell."""
    return {
        "number": n,
        "cell": cell,
        "title": sweep.titles[cell.name],
        "rank": next((group.cells.index(cell) + 1 for group in sweep.groups if cell in group.cells), None),
        "score": number(cell.score.value) if cell.score else "",
        "samples": newest(cell, "samples"),
        "reconstructions": newest(cell, "reconstructions"),
        "strip": over_time(cell),
        "sparks": sparks(cell),
        "config": {key: value(cell, key) for key in sweep.keys if key in cell.config},
        "implied": {key: value(cell, key) for key in implied if key in cell.config and not key.endswith("_partial_")},
        "command": cell_command(cell),
        "last_sign": _last_sign(cell),
        "traceback": traceback(cell) if cell.status in ("failed", "interrupted", "damaged") else "",
    }


def _sheets(sweep: Sweep, cells: Sequence[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Cells that have pictures, group by group."""
    ends = np.cumsum([0, *(len(group.cells) for group in sweep.groups), len(sweep.unranked)])
    titles = [*(group.title for group in sweep.groups), "Not ranked"]
    parts = [cells[start:end] for start, end in pairwise(ends)]
    shown = [[entry for entry in part if entry["samples"] or entry["reconstructions"]] for part in parts]
    return [(title, part) for title, part in zip(titles, shown, strict=True) if part]


def _last_sign(cell: Cell) -> str:
    """When a run that says it is running has written last: a killed one says so too."""
    files = [cell.folder / name for name in ("summary.json", "metrics.csv", "train.log")]
    times = [path.stat().st_mtime for path in files if path.is_file()]
    return f"{datetime.fromtimestamp(max(times)):%Y-%m-%d %H:%M:%S}" if times and cell.status == "running" else ""


def _first_of_groups(sweep: Sweep) -> list[int]:
    """Numbers of the best cells."""
    order = [cell.name for cell in sweep.in_order]
    return [order.index(group.cells[0].name) + 1 for group in sweep.groups[:MOST_BEST]]


def _displayed(text: str) -> str:
    """A field of report.csv as people read it."""
    try:
        return number(float(text))
    except ValueError:
        return text
