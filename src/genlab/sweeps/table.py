"""What a sweep prints: a live table, or without a terminal a line for each event; then a ranking and the failures."""

import csv
import json
import os
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from genlab.run.summary import Outcome, read_outcome
from genlab.sweeps.plan import SweepRun

SECONDS = 1.0  # between two readings
TAIL = 4096  # bytes of metrics.csv that hold its last rows
NOTE = "Ctrl-C: save and stop"
ORDER = ("running", "failed", "interrupted", "completed", "pruned", "waiting")


class SweepTable:
    """Shows how the runs of a batch fare. (Without a terminal rich's `Live` shows nothing of a table that goes.)

    Args:
        console: where to.
        runs: all of the batch, those that need no process included.
    """

    def __init__(self, console: Console, runs: Sequence[SweepRun]) -> None:
        self.console, self.runs = console, runs
        self.starts: dict[int, tuple[float, float | None]] = {}  # by id: when, and the share that lay behind it
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._shown, self._note = 0.0, NOTE

    def __enter__(self) -> "SweepTable":
        self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._live.update("")  # it would show all of the last table once more, and take away as much as a screen holds
        self._live.__exit__(*error)

    def add_start(self, run: SweepRun) -> None:
        """Show that a run has started."""
        self.starts[id(run)] = monotonic(), read_progress(run).share
        self._shown = 0.0
        if not self.console.is_terminal:
            self._say(f"started      {run.label}")

    def add_end(self, run: SweepRun) -> None:
        """Say in a line, which stays above the table, how a run has ended."""
        n_ended, left = sum(r.state not in ("waiting", "running") for r in self.runs), self.time_left()
        facts = [_duration(run.seconds), f"{n_ended} of {len(self.runs)}", *_left(left)]
        score = read_outcome(run.folder).score
        what = f": {run.error}" if run.error else f": score {_number(score)}" if score is not None else ""
        self._say(f"{run.state:12s} {run.label} ({', '.join(facts)}){what}")
        self._shown = 0.0

    def refresh(self) -> None:
        """Read the table's numbers anew, about once a second."""
        if self.console.is_terminal and monotonic() - self._shown >= SECONDS:
            self._shown = monotonic()
            self._live.update(self.render(), refresh=True)

    def add_signal(self, number: int, kill: bool) -> None:
        """Say that a signal has asked for an end; told at every look until the last run has ended."""
        if self._note == NOTE and not self.console.is_terminal:
            self._say(f"{signal.Signals(number).name}: each cell saves a checkpoint and stops")
        self._note = "killed" if kill else "each cell saves a checkpoint and stops; Ctrl-C kills them"

    def time_left(self) -> float | None:
        """Seconds until the last run ends, if those to come take as long as those that have ended; None before one."""
        taken = [run.seconds for run in self.runs if run.seconds and run.state == "completed"]
        waiting = sum(run.state == "waiting" for run in self.runs)
        running = [self._time_left(run) for run in self.runs if run.state == "running"]
        if not taken and (waiting or None in running):
            return None
        mean = sum(taken) / len(taken) if taken else 0.0
        work = waiting * mean + sum(mean if left is None else left for left in running)
        return work / max(1, len(running)) if work else None

    def render(self) -> Group:
        """Make the table; where the terminal has no room for all of it, `Live` leaves the end out."""
        counts = Counter(run.state for run in self.runs)
        facts = [f"{counts[state]} {state}" for state in ORDER if counts[state]]
        table = Table(
            Column("cell", overflow="fold"),
            Column("state", no_wrap=True),
            *(Column(name, justify="right", no_wrap=True) for name in ("epoch", "images/s", "score", "left")),
        )
        for run in sorted(self.runs, key=lambda run: ORDER.index(run.state))[: self.console.height]:
            now = read_progress(run)
            epochs = f"{now.epoch}/{now.n_epochs or '?'}" if run.state != "waiting" else ""
            speed, score = f"{now.speed:.0f}" if now.speed else "", _number(now.score) if now.score else ""
            left = _duration(self._time_left(run, now)) if run.state == "running" else ""
            table.add_row(Text(run.label), run.state, epochs, speed, score, left)
        return Group(f"{', '.join([*facts, *_left(self.time_left())])}. {self._note}.", table)

    def _time_left(self, run: SweepRun, now: "RunProgress | None" = None) -> float | None:
        """Seconds until a run ends, by the pace that it has had in this launch; None before it has one."""
        share, (start, before) = (now or read_progress(run)).share, self.starts[id(run)]
        if share is None or before is None or share <= before:
            return None
        return (monotonic() - start) * (1 - share) / (share - before)

    def _say(self, line: str) -> None:
        self.console.print(Text(line), soft_wrap=True)


class RunProgress(NamedTuple):
    """How far a run has come."""

    epoch: int  # that is complete
    n_epochs: int | None  # that it takes; None if there is no limit
    share: float | None  # of its way that lies behind it, from 0 to 1; None if nobody knows
    speed: float | None  # images per second, of training
    score: float | None  # the newest


def read_progress(run: SweepRun) -> RunProgress:
    """Read how far a run has come from what it writes."""
    known, trainer = read_outcome(run.folder), run.config.get("trainer") or {}
    summary = known.summary
    epochs, then = summary.get("epochs") or 0, summary.get("steps") or 0
    steps = max(then, _newest_step(run.folder / "metrics.csv"))
    epoch = steps * epochs / then if then else 0.0  # one takes as many steps as those before it
    limits = {key: n for key in ("max_steps", "max_epochs") if isinstance(n := trainer.get(key), int) and n > 0}
    done = {"max_steps": steps, "max_epochs": epoch}
    share = max((min(1.0, done[key] / limit) for key, limit in limits.items()), default=None)
    speed = summary.get("images_per_second")
    return RunProgress(epochs, limits.get("max_epochs"), share, speed, known.score)


def _newest_step(file: Path) -> int:
    """The step in the last whole row of metrics.csv, or 0."""
    try:
        if not file.is_file():
            return 0
        with file.open("rb") as stream:
            head = stream.readline().decode()
            stream.seek(max(stream.tell(), os.fstat(stream.fileno()).st_size - TAIL))
            lines = stream.read().decode(errors="ignore").splitlines()
        columns, row = csv.reader([head, *lines[-1:]])
        return int(row[columns.index("step")]) + 1
    except (OSError, ValueError, IndexError, csv.Error):
        return 0


def rank(runs: Sequence[SweepRun]) -> list[Table]:
    """Rank runs by their scores, the best first: a table for each protocol, as values of two can't be compared."""
    groups: dict[str, list[tuple[SweepRun, Outcome]]] = {}
    for run in runs:
        known = read_outcome(run.folder)
        if run.state in ("completed", "pruned") and known.score is not None:
            groups.setdefault(json.dumps(_protocol(known), sort_keys=True), []).append((run, known))
    protocols = [json.loads(key) for key in groups]
    return [_ranking(_title(json.loads(key), protocols), members) for key, members in groups.items()]


def list_failures(runs: Sequence[SweepRun]) -> list[str]:
    """Say of each run that has failed what went wrong and where to read more; lines without a break can be copied."""
    failed = [run for run in runs if run.state == "failed"]
    lines = [f"{len(failed)} of {len(runs)} failed:"] if failed else []
    return lines + [f"  {text}" for run in failed for text in (run.label, f"  {run.error}", f"  {run.folder}")]


def _protocol(known: Outcome) -> dict[str, Any]:
    """What has to be equal for two scores to be comparable, the name of the score included."""
    name = str(known.summary["score"].get("name"))
    metric = (known.summary.get("metrics") or {}).get(name)
    protocol = metric.get("protocol") if isinstance(metric, dict) else None
    return {"score": name, **(protocol if isinstance(protocol, dict) else {})}


def _title(protocol: dict[str, Any], all_of_them: Sequence[dict[str, Any]]) -> str:
    """The score's name, and in what its protocol differs from the others'."""
    keys = {key for other in all_of_them for key in other | protocol if other.get(key) != protocol.get(key)}
    return ", ".join([protocol["score"], *(f"{key}={protocol.get(key)}" for key in sorted(keys - {"score", "metric"}))])


def _ranking(title: str, members: Sequence[tuple[SweepRun, Outcome]]) -> Table:
    names = ("rank", "cell", "score", "epochs", "time")
    columns = [Column(name, no_wrap=name != "cell", overflow="fold") for name in names]
    table = Table(*columns, title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for n, (run, known) in enumerate(sorted(members, key=lambda member: member[1].score or 0.0), 1):
        name = run.label + (" (pruned)" if run.state == "pruned" else "")
        facts = (_number(known.score), str(known.summary.get("epochs", "")), _duration(known.summary.get("seconds")))
        table.add_row(str(n), *map(Text, (name, *facts)))
    return table


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"


def _left(seconds: float | None) -> list[str]:
    return [f"about {_duration(seconds)} left"] if seconds else []


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
