"""What is seen of a sweep while it runs: a live table on a terminal, else a line for each event."""

import signal
from collections import Counter
from collections.abc import Sequence
from time import monotonic
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from genlab.run.identity import read_outcome
from genlab.sweeps.plan import Cell
from genlab.sweeps.progress import Progress, progress

SECONDS = 1.0  # between two readings
OTHERS = 48  # columns of a terminal that the live table takes besides the labels
ORDER = ("running", "failed", "interrupted", "completed", "pruned", "waiting")


class View:
    """Prints a line when a cell starts and when it ends.

    Args:
        console: where to.
        cells: all cells of the batch, those that need no process included.
    """

    def __init__(self, console: Console, cells: Sequence[Cell]) -> None:
        self.console, self.cells, self._is_told = console, cells, False
        self.starts: dict[int, tuple[float, float | None]] = {}  # by id: when, and the share that lay behind it

    def __enter__(self) -> "View":
        return self

    def __exit__(self, *error: Any) -> None:
        pass

    def started(self, cell: Cell) -> None:
        """A cell has started."""
        self.starts[id(cell)] = monotonic(), progress(cell).share
        self.console.print(Text(f"started      {cell.label}"), soft_wrap=True)

    def ended(self, cell: Cell) -> None:
        """A cell has ended."""
        n_ended, left = sum(c.state not in ("waiting", "running") for c in self.cells), self.time_left()
        facts = [
            duration(cell.seconds),
            f"{n_ended} of {len(self.cells)}",
            *([f"about {duration(left)} left"] if left else []),
        ]
        score = read_outcome(cell.folder).score
        what = f": {cell.error}" if cell.error else f": score {number(score)}" if score is not None else ""
        line = f"{cell.state:12s} {cell.label} ({', '.join(facts)}){what}"
        self.console.print(Text(line), soft_wrap=True)

    def refresh(self) -> None:
        """Some time has passed."""

    def stopping(self, number: int, kill: bool) -> None:
        """A signal has asked for an end; told at every look until the last cell has ended."""
        if not self._is_told:
            self._is_told = True
            self.console.print(f"{signal.Signals(number).name}: each cell saves a checkpoint and stops")

    def time_left(self) -> float | None:
        """Seconds until the last cell ends, if those to come take as long as those that have ended; None before one."""
        taken = [cell.seconds for cell in self.cells if cell.seconds and cell.state == "completed"]
        waiting = sum(cell.state == "waiting" for cell in self.cells)
        running = [self.left(cell, progress(cell)) for cell in self.cells if cell.state == "running"]
        if not taken and (waiting or None in running):
            return None
        mean = sum(taken) / len(taken) if taken else 0.0
        work = waiting * mean + sum(mean if left is None else left for left in running)
        return work / max(1, len(running)) if work else None

    def left(self, cell: Cell, now: Progress) -> float | None:
        """Seconds until a cell that runs ends, by the pace that it has had in this launch; None before it has one."""
        start, before = self.starts[id(cell)]
        if now.share is None or before is None or now.share <= before:
            return None
        return (monotonic() - start) * (1 - now.share) / (now.share - before)


class LiveView(View):
    """A table with a line for each cell, as many as the terminal has room for, those that run first."""

    def __init__(self, console: Console, cells: Sequence[Cell]) -> None:
        super().__init__(console, cells)
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._shown, self._note = 0.0, "Ctrl-C: save and stop"

    def __enter__(self) -> "View":
        self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._live.__exit__(*error)

    def started(self, cell: Cell) -> None:
        """The table shows it."""
        self.starts[id(cell)] = monotonic(), progress(cell).share
        self._shown = 0.0

    def ended(self, cell: Cell) -> None:
        """A line above the table says so, and stays."""
        super().ended(cell)
        self._shown = 0.0

    def refresh(self) -> None:
        """Read anew, about once a second."""
        if monotonic() - self._shown >= SECONDS:
            self._shown = monotonic()
            self._live.update(self._table(), refresh=True)

    def stopping(self, number: int, kill: bool) -> None:
        """The line below the table says so."""
        self._note = "killed" if kill else "each cell saves a checkpoint and stops; Ctrl-C kills them"

    def _table(self) -> Group:
        table = Table(
            Column("cell", overflow="fold"),
            Column("state", no_wrap=True),
            *(Column(name, justify="right", no_wrap=True) for name in ("epoch", "images/s", "score", "left")),
        )
        cells = sorted(self.cells, key=lambda cell: ORDER.index(cell.state))
        room = max(3, self.console.height - 7)
        for cell in cells:
            room -= len(Text(cell.label).wrap(self.console, max(1, self.console.width - OTHERS)))
            if room < 0:
                break
            now = progress(cell)
            left = self.left(cell, now) if cell.state == "running" else None
            epochs = f"{now.epoch}/{now.n_epochs or '?'}" if cell.state != "waiting" else ""
            speed = f"{now.speed:.0f}" if now.speed else ""
            table.add_row(
                Text(cell.label), cell.state, epochs, speed, number(now.score) if now.score else "", duration(left)
            )
        counts = Counter(cell.state for cell in self.cells)
        left = self.time_left()
        facts = [f"{counts[state]} {state}" for state in ORDER if counts[state]]
        facts += [f"about {duration(left)} left"] if left else []
        return Group(table, f"{', '.join(facts)}. {self._note}.")


def view_of(console: Console, cells: Sequence[Cell]) -> View:
    """Choose a table or lines, by whether anybody looks on."""
    return LiveView(console, cells) if console.is_terminal else View(console, cells)


def number(value: float | None) -> str:
    """A score, in four digits."""
    return "none" if value is None else f"{value:.4g}"


def duration(seconds: float | None) -> str:
    """As one would say it."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
