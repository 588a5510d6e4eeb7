"""The runs of a sweep side by side: what was varied, and how they rank."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os.path import commonpath
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genlab.report.cell import Cell
from genlab.report.keys import DATA, FIRST, MODEL, SEED, labels, swept, value
from genlab.report.reading import read_cell
from genlab.report.text import number
from genlab.stamp import Stamp, differences, ranked


@dataclass(frozen=True)
class Group:
    """Cells whose scores were measured by one protocol, the best first.

    Attributes:
        title: metric and data set, and what else tells the protocol from the others.
    """

    title: str
    stamp: Stamp
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Sweep:
    """All cells, in the order in which they were found."""

    name: str
    cells: Sequence[Cell]

    @cached_property
    def groups(self) -> list[Group]:
        """Ranked cells by their protocols, the largest group first.

        A run that has failed is not ranked: its score is not that of what was asked for.
        """
        by_stamp: dict[Stamp, dict[str, Cell]] = {}
        for cell in self.cells:
            if cell.score is not None and cell.status not in ("failed", "damaged"):
                by_stamp.setdefault(cell.score.stamp, {})[cell.name] = cell
        groups = []
        for stamp, cells in by_stamp.items():
            order = ranked({name: cell.score for name, cell in cells.items() if cell.score})
            groups.append(Group(_title(stamp, list(by_stamp)), stamp, [cells[name] for name in order]))
        return sorted(groups, key=lambda group: -len(group.cells))

    @cached_property
    def unranked(self) -> list[Cell]:
        """Cells that have no rank, in their order."""
        known = {cell.name for cell in self.in_groups}
        return [cell for cell in self.cells if cell.name not in known]

    @property
    def in_groups(self) -> list[Cell]:
        """Cells that have a rank, group by group."""
        return [cell for group in self.groups for cell in group.cells]

    @property
    def in_order(self) -> list[Cell]:
        """All cells: those of the groups in their ranks, then the others."""
        return [*self.in_groups, *self.unranked]

    @cached_property
    def keys(self) -> list[str]:
        """The keys that the sweep varies."""
        return swept(self.cells)

    @cached_property
    def titles(self) -> dict[str, str]:
        """What tells each cell from the others, by its name: of keys that most cells agree in only what is unusual."""
        usual = {}
        for key in (key for key in self.keys if key not in (*FIRST, SEED)):
            (most, n), *_ = Counter(str(value(cell, key)) for cell in self.cells if cell.config).most_common(1)
            usual[key] = most if 2 * n > len(self.cells) else None
        return {cell.name: self._title(cell, usual) for cell in self.cells}

    def _title(self, cell: Cell, usual: Mapping[str, str | None]) -> str:
        found = {key: value(cell, key) for key in self.keys if key in cell.config}
        telling = {key: one for key, one in found.items() if key not in usual or str(one) != usual[key]}
        plain = (MODEL, DATA)
        texts = [f"{one}" if key in plain else f"{self.labels[key]} {number(one)}" for key, one in telling.items()]
        return " · ".join(texts) or cell.name

    @cached_property
    def labels(self) -> dict[str, str]:
        """Their short names."""
        return labels(self.keys)

    @cached_property
    def models(self) -> list[str]:
        """Classes of the models, in the order of the alphabet."""
        return sorted({cell.model for cell in self.cells if cell.config})

    @cached_property
    def statuses(self) -> dict[str, int]:
        """Numbers of cells by their status."""
        order = ("completed", "running", "pruned", "interrupted", "failed", "damaged")
        found = [cell.status for cell in self.cells]
        return {status: found.count(status) for status in (*order, *sorted({*found} - {*order})) if status in found}

    @cached_property
    def metrics(self) -> list[str]:
        """Metrics besides the scores: validation first, then health, then training."""
        scores = {cell.score_key for cell in self.cells}
        found = {key for cell in self.cells for key in cell.metrics} - scores - {"train/images_seen"}
        phases = ("test/", "val/", "health/", "train/")
        return sorted(
            found, key=lambda key: ([key.startswith(phase) for phase in phases][::-1], "loss" not in key, key)
        )

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row a cell in the order of ranks, a column a fact: what `report.csv` holds and the page shows."""
        ranks = {cell.name: (n, i) for n, group in enumerate(self.groups, 1) for i, cell in enumerate(group.cells, 1)}
        rows = [self._row(cell, *ranks.get(cell.name, (None, None))) for cell in self.in_order]
        table = pd.DataFrame(rows).astype({"group": "Int64", "rank": "Int64"})
        whole = [key for key in ("images_seen", "parameters", "epochs") if key in table]
        return table.astype(dict.fromkeys(whole, "Int64"))

    def _row(self, cell: Cell, group: int | None, rank: int | None) -> dict[str, Any]:
        numbers = cell.metrics
        return {
            "rank": rank,
            "cell": cell.name,
            **{key: value(cell, key) for key in self.keys},
            "score": cell.score.value if cell.score else None,
            **{key: numbers.get(key) for key in self.metrics},
            "epochs": cell.count("epochs"),
            "images_seen": cell.count("images_seen"),
            "seconds": cell.seconds,
            "images_per_second": cell.number("images_per_second"),
            "parameters": cell.count("parameters", "total"),
            "status": cell.status,
            "group": group,
        }


def _title(stamp: Stamp, others: Sequence[Stamp]) -> str:
    like = [other for other in others if (other.metric, other.data) == (stamp.metric, stamp.data)]
    fields = differing_fields(like)
    apart = {name: getattr(stamp, name) for name in fields if name != "images" or len(fields) == 1}
    more = ", ".join(f"{name} {number(found)}" for name, found in apart.items())
    return f"{stamp.metric} on {stamp.data}" + (f" ({more})" if more else "")


def differing_fields(stamps: Sequence[Stamp]) -> dict[str, list[Any]]:
    """The fields in which protocols differ, with all their values."""
    names = dict.fromkeys(name for stamp in stamps[1:] for name in differences(stamps[0], stamp))
    return {name: [getattr(stamp, name) for stamp in stamps] for name in names}


def pareto_front(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points (cost, score) that no other beats: none that costs at most as much scores lower, or as low for less.

    Sorted by cost.
    """
    front: list[tuple[float, float]] = []
    for cost, score in sorted(points):
        if np.isfinite(cost) and np.isfinite(score) and (not front or score < front[-1][1]):
            front.append((cost, score))
    return front


def read_sweep(name: str, folders: Sequence[Path], home: Path | None = None) -> Sweep:
    """Read the runs of a sweep.

    Args:
        name: of the sweep.
        folders: the run folders.
        home: the folder that cells are named relative to; by default the nearest that holds all of them.
    """
    whole = [folder.absolute() for folder in folders]
    base = home.absolute() if home else Path(commonpath([folder.parent for folder in whole]))
    names = [folder.name if folder == base else folder.relative_to(base).as_posix() for folder in whole]
    return Sweep(name, [read_cell(folder, own) for folder, own in zip(whole, names, strict=True)])
