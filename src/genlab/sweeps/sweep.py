"""A sweep on this machine, from the lock on its folder to what is printed at its end."""

import os
import shlex
import signal
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn, setup_globals
from omegaconf import DictConfig

from genlab.command_line import quoted
from genlab.config.values import convert
from genlab.console import console
from genlab.errors import UsageError
from genlab.run.summary import read_outcome
from genlab.sweeps.bill import find_costs, write_bill
from genlab.sweeps.folder import lock_sweep
from genlab.sweeps.plan import SweepRun, plan, plan_run, report_run, swept_keys
from genlab.sweeps.preflight import estimate_cost, list_errors, preflight
from genlab.sweeps.process import start_server
from genlab.sweeps.resources import Demand, Pool, check_number, count_threads, make_pool, name_gpus, read_demand
from genlab.sweeps.runner import Following, Runner
from genlab.sweeps.table import SweepTable, list_failures, seconds_left

Ask = Callable[[], tuple[DictConfig, list[str], int] | None]


class LocalSweep:
    """All runs of a command with `-m`, whose configuration is `master`, in one batch or in several.

    Impossible values of its keys are refused before anything is written.
    """

    def __init__(self, loader: ConfigLoader, master: DictConfig, n_jobs: Any, gpus_per_job: Any) -> None:
        setup_globals()
        self._n_jobs = check_number("n_jobs", n_jobs)
        self._gpus_per_job = check_number("gpus_per_job", gpus_per_job)
        self._preflight = convert("preflight", master.get("preflight", "skip"), Literal["run", "skip", "probe", "only"])
        self._retry_failed = convert("retry_failed", master.get("retry_failed", True), bool)
        if master.get("resume") not in (None, "auto"):
            raise UsageError(
                f"resume={master.resume} names one run, and -m starts many: go on with a sweep by sweep=NAME and the "
                "same values as before."
            )
        self.loader, self.master = loader, master
        self.folder = Path(master.hydra.sweep.dir).absolute()
        self._lock = lock_sweep(self.folder)
        self._context = start_server()
        self._console = console() if sys.stdout.isatty() else console(width=200)  # a file has room for long names
        self._gpus: list[str] | None = None  # not known yet
        self.runs: list[SweepRun] = []  # of all batches

    def launch(self, batch: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
        """Run a batch; what is complete is left as it is.

        Raises:
            UsageError: if runs can't be built, before the first one starts.
            SystemExit: with 128 and the signal's number, if a signal has stopped the sweep.
        """
        planned = plan(self.loader, self.master, batch, first)
        runs = {run.folder: run for run in planned}
        known = {run.folder for run in self.runs}
        self.runs += [run for run in runs.values() if run.folder not in known]
        if todo := [run for run in runs.values() if not self._is_settled(run)]:
            self._run(list(runs.values()), todo)
        return [report_run(runs[run.folder]) for run in planned]

    def serve(self, ask: Ask, tell: Callable[[int, JobReturn], None], n_jobs: int, n_runs: int) -> None:
        """Run what a search asks for, each run as soon as there is room for it.

        Args:
            ask: gives what is composed, overrides and number of the next run; None if there is none now, or no more.
            tell: is called with a number and what has become of it.
            n_jobs: runs at a time, unless `hydra.launcher.n_jobs` is less.
            n_runs: how many are expected.

        Raises:
            UsageError, SystemExit: as `launch` does.
        """

        def report(run: SweepRun) -> None:
            tell(run.hydra.job.num, report_run(run))

        def following() -> SweepRun | None:
            while asked := ask():
                run = plan_run(*asked, swept)
                self.runs.append(run)
                if not self._is_settled(run):
                    return run
                report(run)
            return None

        swept = swept_keys(self.master)
        self._n_jobs = min(n_jobs, self._n_jobs or n_jobs)
        if first := following():
            self._run(self.runs, [first], following, report, n_runs)

    def end(self) -> int:
        """Print what has come of it; returns the exit code."""
        states = Counter(run.state for run in self.runs)
        counts = ", ".join(f"{n} {state}" for state, n in states.items())
        self._print(*list_failures(self.runs), f"{counts}: {self.folder}")
        self._lock.close()
        return 0 if states.keys() <= {"completed", "pruned"} else 1

    def _is_settled(self, run: SweepRun) -> bool:
        """Whether a run needs no process: it is complete, or it has failed before and is to be left."""
        known = read_outcome(run.folder)
        if not run.is_training:
            return False
        if known.is_final and known.summary.get("fingerprint") == run.fingerprint:
            run.state = known.status
        elif known.status == "failed" and not self._retry_failed:
            run.state, run.error = "failed", f"{known.error} (failed before, and left as retry_failed=false)"
        return run.state != "waiting"

    def _run(
        self,
        runs: list[SweepRun],
        todo: list[SweepRun],
        following: Callable[[], SweepRun | None] = lambda: None,
        tell: Callable[[SweepRun], None] = lambda run: None,
        n_runs: int = 0,
    ) -> None:
        """Run what there is to do of `runs`, and what follows."""
        pool, n_threads = self._prepare(runs, todo, n_runs)
        waiting = list(todo)

        def upcoming() -> tuple[SweepRun, Demand] | None:
            run = waiting.pop(0) if waiting else following()
            return None if run is None else (run, self._demand(run))

        self._work(upcoming, pool, n_threads, SweepTable(self._console, runs, pool.n_jobs, n_runs), tell)

    def _work(self, upcoming: Following, pool: Pool, n_threads: int, table: SweepTable, *tell: Any) -> None:
        script = os.path.abspath(getattr(sys.modules["__main__"], "__file__", None) or sys.argv[0])  # noqa: PTH100
        runner = Runner(self._context, script, n_threads, table)
        runner.run(upcoming, pool, *tell)
        if runner.stopped_by:
            self._print_command(signal.Signals(runner.stopped_by).name)
            self.end()
            raise SystemExit(128 + runner.stopped_by)

    def _prepare(self, runs: list[SweepRun], todo: list[SweepRun], n_runs: int) -> tuple[Pool, int]:
        """Return what there is room for, and the threads of each process; first see that all can be built, once."""
        dry_runs = None
        if self._gpus is None:
            n_gpus, dry_runs = preflight(
                self._context, [run.config for run in todo] if self._preflight != "skip" else []
            )
            self._gpus = name_gpus(n_gpus)
            if errors := list_errors(todo, dry_runs, self.master.hydra.get("sweeper") or {}):
                self._print(*errors)
                raise UsageError(
                    f"{len(errors)} of {len(todo)} runs can't be built, as said above, and none has been started: mend "
                    "them, or run the others with preflight=skip."
                )
        demands = [self._demand(run) for run in todo] * max(1, n_runs)  # what follows is alike
        pool = make_pool(self._n_jobs, self._gpus, demands)
        n_threads = count_threads(pool, demands)
        if dry_runs is not None:
            where = f"GPUs {', '.join(pool.gpus)}" if pool.gpus else f"CPU, {n_threads} thread(s) a process"
            self._print(*estimate_cost(runs, dry_runs, self.folder), f"at most {pool.n_jobs} at a time, on {where}")
            if self._preflight in ("probe", "only"):
                self._probe(todo, pool, n_threads, max(1, n_runs))
        return pool, n_threads

    def _probe(self, todo: list[SweepRun], pool: Pool, n_threads: int, n_times: int) -> None:
        """Say what there is to do will take, by short runs of it; with `preflight=only` that was all."""

        def run_all(probes: list[SweepRun]) -> None:
            waiting = iter([(probe, self._demand(probe)) for probe in probes])
            self._work(lambda: next(waiting, None), pool, n_threads, SweepTable(self._console, probes, pool.n_jobs))

        costs = find_costs(todo, run_all)
        self._print(*write_bill(costs, seconds_left(todo * n_times, pool.n_jobs), pool))
        if self._preflight == "only":
            raise SystemExit(0)

    def _demand(self, run: SweepRun) -> Demand:
        return read_demand(run.config, len(self._gpus or ()), self._gpus_per_job)

    def _print_command(self, name: str) -> None:
        """Print the command that goes on: the same one; where the folder is named by the date, also the name."""
        words = ["python", *sys.argv]
        if not any(word.lstrip("+").startswith(("sweep=", "hydra.sweep.dir=")) for word in words):
            key, value = ("sweep", self.folder.name) if "sweep" in self.master else ("hydra.sweep.dir", self.folder)
            words.append(f"{key}={quoted(value)}")
        self._print(f"Stopped by {name}. To go on where it has stopped, type", f"  {shlex.join(words)}")

    def _print(self, *lines: str) -> None:
        for line in lines:
            self._console.print(line, soft_wrap=True)
