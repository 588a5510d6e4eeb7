"""A sweep, from the claim on its folder to the tables at its end."""

import os
import shlex
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn, JobStatus, setup_globals
from omegaconf import DictConfig, OmegaConf

from genlab.command_line import quoted
from genlab.config.values import convert
from genlab.console import console
from genlab.errors import UsageError
from genlab.run.identity import read_outcome
from genlab.sweeps import report_hook
from genlab.sweeps.cost import DryRun, estimate_cost
from genlab.sweeps.folder import claim
from genlab.sweeps.limits import Limits, check_gpus, demand, n_threads, pool, visible_gpus
from genlab.sweeps.objectives import SCORE
from genlab.sweeps.plan import Cell, planned
from genlab.sweeps.preflight import is_wanted, preflight
from genlab.sweeps.process import Server
from genlab.sweeps.ranking import failures, rankings
from genlab.sweeps.resources import Demand, Pool, Queue
from genlab.sweeps.runner import Crew
from genlab.sweeps.view import view_of


class CellReturn(JobReturn):
    """What a sweeper is told of a cell. (Hydra's own ends the sweep where the value of a failed job is read.)"""

    @property
    def return_value(self) -> Any:
        """The newest score, lower being better; None if there is none."""
        return self._return_value

    @return_value.setter
    def return_value(self, value: Any) -> None:
        self._return_value = value


class Sweep:
    """All cells of a command with `-m`, in one batch or in several, as the sweeper decides.

    Args:
        loader: Hydra's, composes cells.
        master: the configuration of the sweep.
        n_jobs: cells at a time, or None.
        gpus_per_job: GPUs of a cell that takes all, or None.

    Raises:
        UsageError: for values that can't be, or a folder that is not this sweep's, before anything is written.
    """

    def __init__(self, loader: ConfigLoader, master: DictConfig, n_jobs: Any, gpus_per_job: Any) -> None:
        setup_globals()
        self.limits = Limits.checked(n_jobs, gpus_per_job)
        self._preflight = is_wanted(master)
        convert("retry_failed", master.get("retry_failed", True), bool)
        if master.get("resume") not in (None, "auto"):
            raise UsageError(
                f"resume={master.resume} names one run, and -m starts many: go on with a sweep by sweep=NAME and the "
                "same values as before."
            )
        self.loader, self.master = loader, master
        self.folder = Path(master.hydra.sweep.dir).absolute()
        owner = {"job": master.hydra.job.name, "sweeper": str(master.hydra.runtime.choices["hydra/sweeper"])}
        self._lock = claim(self.folder, owner)
        self._server = Server()
        self._console = console() if sys.stdout.isatty() else console(width=200)  # a file has room for long names
        self._gpus: list[str] | None = None  # not known yet
        self.cells: list[Cell] = []  # of all batches
        report_hook.begun.append(self)

    def launch(self, batch: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
        """Run the cells of a batch; what is complete is left as it is.

        Raises:
            UsageError: if cells can't be built, before the first one starts.
            SystemExit: with 128 and the signal's number, if a signal has stopped the sweep.
        """
        is_first = not self.cells
        cells = planned(self.loader, self.master, batch, first)
        unique = {cell.folder: cell for cell in cells}
        self.cells += [cell for folder, cell in unique.items() if folder not in {c.folder for c in self.cells}]
        todo = [cell for cell in unique.values() if not _settle(cell)]
        dry_runs = self._prepare(todo)
        configs = [cell.config for cell in todo]
        check_gpus(self.limits, len(self._gpus or ()), configs)
        demands = [demand(config, len(self._gpus or ()), self.limits.gpus_per_job) for config in configs]
        lent = pool(self.limits, self._gpus or (), demands)
        threads = n_threads(lent, demands)
        if is_first:
            self._print(*estimate_cost(list(unique.values()), dry_runs, self.folder, _at_once(lent, threads)))
        self._run(todo, list(unique.values()), lent, demands, threads)
        return [self._result(unique[cell.folder]) for cell in cells]

    def end(self) -> int:
        """Print what has come of it; returns the exit code."""
        for table in rankings(self.cells):
            self._console.print(table)
        states = Counter(cell.state for cell in self.cells)
        self._print(*failures(self.cells), f"{', '.join(f'{n} {state}' for state, n in states.items())}: {self.folder}")
        self._lock.close()
        return 0 if all(cell.state in ("completed", "pruned") for cell in self.cells) else 1

    def _prepare(self, todo: Sequence[Cell]) -> list[DryRun]:
        """Before the first batch: look at the machine, and try the cells out.

        Raises:
            UsageError: with a line for each cell that can't be built.
        """
        if self._gpus is not None or not todo:
            return []
        configs = [cell.config for cell in todo] if self._preflight else []
        n_gpus, *dry_runs = preflight(self._server, configs)
        self._gpus = visible_gpus(n_gpus)
        if _goes_by_score(self.master):
            why = "the search goes by the score, and there will be none"
            dry_runs = [r._replace(error=f"{why}: {r.unscored}") if r.unscored else r for r in dry_runs]
        wrong = [f"  {cell.label}: {r.error}" for cell, r in zip(todo, dry_runs, strict=False) if r.error]
        if wrong:
            self._print(*wrong)
            raise UsageError(
                f"{len(wrong)} of {len(todo)} cells can't be built, as said above, and none has been started: mend "
                "them, or run the others with preflight=skip."
            )
        return dry_runs

    def _run(
        self, todo: Sequence[Cell], cells: Sequence[Cell], lent: Pool, demands: Sequence[Demand], threads: int
    ) -> None:
        if not todo:
            return
        script = os.path.abspath(getattr(sys.modules["__main__"], "__file__", None) or sys.argv[0])  # noqa: PTH100
        crew = Crew(self._server, script, threads, view_of(self._console, cells))
        crew.run(Queue(lent, enumerate(demands)), dict(enumerate(todo)), lent)
        if crew.stopped_by:
            name = signal.Signals(crew.stopped_by).name
            self._print(f"Stopped by {name}. To go on where it has stopped, type", f"  {self._command()}")
            raise SystemExit(128 + crew.stopped_by)

    def _command(self) -> str:
        """The same command; where the folder is named by the date, also the name."""
        words = ["python", *sys.argv]
        if not any(word.lstrip("+").startswith(("sweep=", "hydra.sweep.dir=")) for word in words):
            key, value = ("sweep", self.folder.name) if "sweep" in self.master else ("hydra.sweep.dir", self.folder)
            words.append(f"{key}={quoted(value)}")
        return shlex.join(words)

    def _result(self, cell: Cell) -> JobReturn:
        result = CellReturn(cell.overrides, OmegaConf.create(cell.config), cell.hydra, str(Path.cwd()))
        result.task_name = self.master.hydra.job.name
        done = cell.state in ("completed", "pruned")
        result.status = JobStatus.COMPLETED if done else JobStatus.FAILED
        result.return_value = read_outcome(cell.folder).score if done else None
        return result

    def _print(self, *lines: str) -> None:
        for line in lines:
            self._console.print(line, soft_wrap=True)


def _goes_by_score(master: DictConfig) -> bool:
    """Whether the sweeper is one that searches, and by the score."""
    sweeper: Any = master.hydra.get("sweeper") or {}
    return "objectives" in sweeper and "score" in (sweeper["objectives"] or SCORE)


def _settle(cell: Cell) -> bool:
    """Whether a cell needs no process: it is complete, or it has failed before and is to be left."""
    known = read_outcome(cell.folder)
    if not cell.is_training:
        return False
    if known.is_final and known.summary.get("fingerprint") == cell.fingerprint:
        cell.state = known.status
    elif known.status == "failed" and not convert("retry_failed", cell.config.get("retry_failed", True), bool):
        cell.state, cell.error = "failed", f"{known.error} (failed before, and left as retry_failed=false)"
    return cell.state != "waiting"


def _at_once(lent: Pool, threads: int) -> str:
    room = f"{lent.n_jobs} at a time" if lent.n_jobs else "as many at a time as there is room for"
    where = f"GPUs {', '.join(lent.gpus)}" if lent.gpus else f"CPU, {threads} thread(s) a process"
    return f"{room}, on {where}"
