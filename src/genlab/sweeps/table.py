"""What a sweep prints while it goes on: on a terminal a table of the runs that train, and a line for each event."""

import heapq
import signal
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from genlab.console import duration
from genlab.run.summary import read_outcome
from genlab.sweeps.plan import SweepRun

NOTE = "Ctrl-C: save and stop"
STATES = ("running", "failed", "interrupted", "completed", "pruned", "waiting")


class TimeLeft(TimeRemainingColumn):
    """By the bill, where there is one, or else by the pace."""

    def render(self, task: Task) -> Text:
        left = task.fields.get("left")
        return super().render(task) if left is None else Text(duration(left), style="progress.remaining")


class SweepTable:
    """Shows how runs fare: a row for all of them, and one for each that is training.

    Args:
        console: where.
        runs: those that are known; there may be more while it is shown.
        n_jobs: at a time.
        n_runs: how many there will be, if more than that.
    """

    def __init__(self, console: Console, runs: Sequence[SweepRun], n_jobs: int = 1, n_runs: int = 0) -> None:
        self.console, self.runs, self.n_jobs = console, runs, n_jobs
        self._n_runs = max(n_runs, len(runs))
        self._note = NOTE
        self._progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(overflow="fold")),
            TextColumn("{task.fields[facts]}", markup=False),
            BarColumn(20),
            TimeLeft(),
            console=console,
            disable=not console.is_terminal,
            auto_refresh=False,
            transient=True,
            speed_estimate_period=float("inf"),  # by the pace of this launch
        )
        self._sum = self._progress.add_task("", total=self._n_runs, completed=self._n_ended(), facts="")
        self._tasks: dict[int, TaskID] = {}  # by id of the run

    def __enter__(self) -> "SweepTable":
        self._progress.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._progress.stop()

    def add_start(self, run: SweepRun) -> None:
        """Show that a run has started."""
        self._tasks[id(run)] = self._progress.add_task(run.label, total=1.0, facts="")
        if not self.console.is_terminal:
            self._print(f"started      {run.label}")

    def add_end(self, run: SweepRun) -> None:
        """Print a line, which stays above the table, on how a run has ended."""
        self._progress.remove_task(self._tasks.pop(id(run)))
        self.refresh()
        facts = [duration(run.seconds or 0), f"{self._n_ended()} of {self._n_runs}"]
        if left := seconds_left(self.runs, self.n_jobs) or self._progress.tasks[0].time_remaining:
            facts.append(f"about {duration(left)} left")
        score = read_outcome(run.folder).score
        what = f": {run.error}" if run.error else f": score {score:.4g}" if score is not None else ""
        self._print(f"{run.state:12s} {run.label} ({', '.join(facts)}){what}")

    def add_signal(self, number: int, kill: bool) -> None:
        """Say that a signal has asked for an end."""
        if self._note == NOTE and not self.console.is_terminal:
            self._print(f"{signal.Signals(number).name}: each run saves a checkpoint and stops")
        self._note = "killed" if kill else "each run saves a checkpoint and stops; Ctrl-C kills them"

    def refresh(self) -> None:
        """Read all numbers anew."""
        done = float(self._n_ended())
        for run in self.runs:
            if id(run) in self._tasks:
                now = read_progress(run)
                done += now.share
                self._progress.update(self._tasks[id(run)], completed=now.share, facts=", ".join(now.facts))
        counts = Counter(run.state for run in self.runs)
        states = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
        left = seconds_left(self.runs, self.n_jobs)
        self._progress.update(self._sum, completed=done, description=states, facts=self._note, left=left)
        self._progress.refresh()

    def _n_ended(self) -> int:
        return sum(run.state not in ("waiting", "running") for run in self.runs)

    def _print(self, line: str) -> None:
        self.console.print(Text(line), soft_wrap=True)


class RunProgress(NamedTuple):
    """How far a run has come, as of its newest validation."""

    share: float  # of its way, from 0 to 1; 0 if there is no limit
    facts: list[str]  # epoch, speed of training and newest score


def read_progress(run: SweepRun) -> RunProgress:
    """Read how far a run has come from its summary."""
    known, trainer = read_outcome(run.folder), run.config.get("trainer") or {}
    counts = {f"max_{unit}": known.summary.get(unit) or 0 for unit in ("epochs", "steps")}
    limits = {key: limit for key in counts if isinstance(limit := trainer.get(key), int) and limit > 0}
    share = max((min(1.0, counts[key] / limit) for key, limit in limits.items()), default=0.0)
    facts = [f"epoch {counts['max_epochs']}/{limits.get('max_epochs', '?')}"]
    if speed := known.summary.get("images_per_second"):
        facts.append(f"{speed:.0f} images/s")
    if known.score is not None:
        facts.append(f"score {known.score:.4g}")
    return RunProgress(share, facts)


def seconds_left(runs: Sequence[SweepRun], n_jobs: int) -> float | None:
    """How long what is left of some runs takes, so many at a time in their order; None if that is not known."""
    open_runs = [run for run in runs if run.state in ("waiting", "running")]
    costs = [run.expected and run.expected * (1 - read_progress(run).share) for run in open_runs]
    ends = [0.0] * n_jobs
    for seconds in costs:
        if seconds is None:
            return None
        heapq.heapreplace(ends, ends[0] + seconds)
    return max(ends)


def list_failures(runs: Sequence[SweepRun]) -> list[str]:
    """Say of each run that has failed what went wrong and where to read more; lines without a break can be copied."""
    failed = [run for run in runs if run.state == "failed"]
    lines = [f"{len(failed)} of {len(runs)} failed:"] if failed else []
    return lines + [f"  {text}" for run in failed for text in (run.label, f"  {run.error}", f"  {run.folder}")]
