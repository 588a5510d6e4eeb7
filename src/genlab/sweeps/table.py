"""What a sweep prints: a live table, or without a terminal a line for each event; then the failures."""

import signal
from collections import Counter
from collections.abc import Sequence
from time import monotonic
from typing import Any, NamedTuple

from rich.console import Console, Group
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from genlab.console import duration
from genlab.run.identity import read_outcome
from genlab.sweeps.plan import SweepRun

ORDER = ("running", "failed", "interrupted", "completed", "pruned", "waiting")


class SweepTable:
    """Shows how the runs of a batch fare. (Without a terminal rich's `Live` shows nothing of a table that goes.)

    Args:
        console: where to.
        runs: all of the batch, those that need no process included.
    """

    def __init__(self, console: Console, runs: Sequence[SweepRun]) -> None:
        self.console, self.runs = console, runs
        self.starts: dict[int, tuple[float, float]] = {}  # by id: when, and the share that was done before
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._note = ""

    def __enter__(self) -> "SweepTable":
        self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._live.update("")  # it would show all of the last table once more, and take away as much as a screen holds
        self._live.__exit__(*error)

    def add_start(self, run: SweepRun) -> None:
        """Show that a run has started."""
        self.starts[id(run)] = monotonic(), read_progress(run).share
        if not self.console.is_terminal:
            self._print(f"started      {run.label}")

    def add_end(self, run: SweepRun) -> None:
        """Print a line, which stays above the table, on how a run has ended."""
        n_ended, score = sum(r.state not in ("waiting", "running") for r in self.runs), read_outcome(run.folder).score
        facts = [duration(run.seconds or 0), f"{n_ended} of {len(self.runs)}", *_left(self.time_left())]
        what = f": {run.error}" if run.error else f": score {_number(score)}" if score is not None else ""
        self._print(f"{run.state:12s} {run.label} ({', '.join(facts)}){what}")

    def refresh(self) -> None:
        """Read the table's numbers anew."""
        if self.console.is_terminal:
            self._live.update(self.render(), refresh=True)

    def add_signal(self, number: int, kill: bool) -> None:
        """Say that a signal has asked for an end."""
        if not self._note and not self.console.is_terminal:
            self._print(f"{signal.Signals(number).name}: each run saves a checkpoint and stops")
        self._note = "killed" if kill else "each run saves a checkpoint and stops; Ctrl-C kills them"

    def time_left(self) -> float | None:
        """Seconds until the last run ends, by the pace of this launch; None before there is one."""
        shares = {id(run): read_progress(run).share for run in self.runs}
        done = sum(shares[key] - before for key, (_, before) in self.starts.items())
        left = sum(1 - shares[id(run)] for run in self.runs if run.state in ("waiting", "running"))
        return _extrapolate(min((start for start, _ in self.starts.values()), default=0.0), done, left)

    def render(self) -> Group:
        """Make the table; where the terminal has no room for all of it, `Live` leaves the end out."""
        counts = Counter(run.state for run in self.runs)
        facts = [f"{counts[state]} {state}" for state in ORDER if counts[state]]
        table = Table(
            Column("run", overflow="fold"),
            Column("state", no_wrap=True),
            *(Column(name, justify="right", no_wrap=True) for name in ("epoch", "images/s", "score", "left")),
        )
        for run in sorted(self.runs, key=lambda run: ORDER.index(run.state))[: self.console.height]:
            now = read_progress(run)
            epochs = f"{now.epoch}/{now.n_epochs or '?'}" if run.state != "waiting" else ""
            speed = f"{now.speed:.0f}" if now.speed else ""
            left = None
            if run.state == "running":
                start, before = self.starts[id(run)]
                left = _extrapolate(start, now.share - before, 1 - now.share)
            table.add_row(Text(run.label), run.state, epochs, speed, _number(now.score), duration(left) if left else "")
        note = self._note or "Ctrl-C: save and stop"
        return Group(f"{', '.join([*facts, *_left(self.time_left())])}. {note}.", table)

    def _print(self, line: str) -> None:
        self.console.print(Text(line), soft_wrap=True)


class Progress(NamedTuple):
    """How far a run has come, as of its newest validation."""

    epoch: int  # that is complete
    n_epochs: int | None  # that it takes; None if there is no limit
    share: float  # of its way, from 0 to 1; 0 if there is no limit
    speed: float | None  # images per second, of training
    score: float | None  # the newest


def read_progress(run: SweepRun) -> Progress:
    """Read how far a run has come from its summary."""
    known, trainer = read_outcome(run.folder), run.config.get("trainer") or {}
    epochs, steps = known.summary.get("epochs") or 0, known.summary.get("steps") or 0
    counts = {"max_epochs": epochs, "max_steps": steps}
    limits = {key: limit for key in counts if isinstance(limit := trainer.get(key), int) and limit > 0}
    share = max((min(1.0, counts[key] / limit) for key, limit in limits.items()), default=0.0)
    share = 1.0 if run.state in ("completed", "pruned") else share
    return Progress(epochs, limits.get("max_epochs"), share, known.summary.get("images_per_second"), known.score)


def list_failures(runs: Sequence[SweepRun]) -> list[str]:
    """Say of each run that has failed what went wrong and where to read more; lines without a break can be copied."""
    failed = [run for run in runs if run.state == "failed"]
    lines = [f"{len(failed)} of {len(runs)} failed:"] if failed else []
    return lines + [f"  {text}" for run in failed for text in (run.label, f"  {run.error}", f"  {run.folder}")]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _left(seconds: float | None) -> list[str]:
    return [f"about {duration(seconds)} left"] if seconds else []


def _extrapolate(start: float, done: float, left: float) -> float | None:
    """Seconds that what is left takes, if what was done since the start took as long; None before anything was."""
    return (monotonic() - start) * left / done if done > 0 else None
