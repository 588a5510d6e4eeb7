"""How far a cell has come, read from what it writes."""

import csv
import os
from pathlib import Path
from typing import Any, NamedTuple

from genlab.run.identity import Outcome, read_outcome
from genlab.sweeps.plan import Cell

TAIL = 4096  # bytes of metrics.csv that hold its last rows


class Progress(NamedTuple):
    """Where a cell is.

    Attributes:
        epoch: epochs that are complete.
        n_epochs: epochs that it takes; None if there is no limit.
        share: of its way that lies behind it, from 0 to 1; None if nobody knows.
        speed: images per second, of training.
        score: the newest.
    """

    epoch: int
    n_epochs: int | None
    share: float | None
    speed: float | None
    score: float | None


def progress(cell: Cell) -> Progress:
    """Read where a cell is."""
    known, trainer = read_outcome(cell.folder), cell.config.get("trainer") or {}
    steps = max(known.summary.get("steps") or 0, _newest_step(cell.folder / "metrics.csv"))
    n_epochs, n_steps = (_limit(trainer.get(key)) for key in ("max_epochs", "max_steps"))
    epoch = known.summary.get("epochs") or 0
    shares = [_share(steps, n_steps), _share(_epochs(known, steps), n_epochs)]
    share = max((share for share in shares if share is not None), default=None)
    return Progress(epoch, n_epochs, share, known.summary.get("images_per_second"), known.score)


def _limit(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _share(done: float, limit: int | None) -> float | None:
    return None if limit is None else min(1.0, done / limit)


def _epochs(known: Outcome, steps: int) -> float:
    """Epochs, and the part of the one that goes on: one takes as many steps as those before it."""
    epochs, then = known.summary.get("epochs"), known.summary.get("steps")
    return steps * epochs / then if epochs and then else 0.0


def _newest_step(file: Path) -> int:
    """The step in the last whole row of metrics.csv, or 0."""
    try:
        if not file.is_file():
            return 0
        with file.open(newline="", encoding="utf-8") as stream:
            columns = next(csv.reader(stream))
        with file.open("rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - TAIL))
            lines = stream.read().decode(errors="ignore").splitlines()
        return int(next(csv.reader(lines[-1:]))[columns.index("step")]) + 1
    except (OSError, ValueError, IndexError, StopIteration):
        return 0
