"""A sweep on this machine, from the claim on its folder to the tables at its end."""

import logging
import os
import shlex
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn, JobStatus, setup_globals
from omegaconf import DictConfig, OmegaConf

from genlab.command_line import quoted
from genlab.config.values import convert
from genlab.console import console
from genlab.errors import UsageError
from genlab.files import write_text
from genlab.foreign import Unreadable, parse_yaml, printable, read_mapping
from genlab.locks import lock_file
from genlab.run.summary import read_outcome
from genlab.sweeps.plan import DryRun, SweepRun, plan
from genlab.sweeps.preflight import estimate_cost, preflight
from genlab.sweeps.process import ProcessServer
from genlab.sweeps.resources import Pool, check_gpus, check_number, count_threads, make_pool, name_gpus, read_demand
from genlab.sweeps.runner import Runner
from genlab.sweeps.table import SweepTable, list_failures, rank

LOCK = ".sweep.lock"
OWNER = "sweep.yaml"

log = logging.getLogger(__name__)


class RunReturn(JobReturn):
    """What a sweeper is told of a run. (Hydra's own ends the sweep where the value of a failed job is read.)"""

    return_value: float | None = None  # the newest score, lower being better


class LocalSweep:
    """All runs of a command with `-m`, in one batch or in several, as the sweeper decides.

    Args:
        loader: Hydra's.
        master: the configuration of the sweep.
        n_jobs: see `hydra_plugins.genlab_launcher`.
        gpus_per_job: the same.

    Raises:
        UsageError: for values that can't be, or a folder that is not this sweep's, before anything is written.
    """

    def __init__(self, loader: ConfigLoader, master: DictConfig, n_jobs: Any, gpus_per_job: Any) -> None:
        setup_globals()
        self._n_jobs = check_number("n_jobs", n_jobs)
        self._gpus_per_job = check_number("gpus_per_job", gpus_per_job)
        self._preflight = convert("preflight", master.get("preflight", "skip"), Literal["run", "skip"]) == "run"
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
        self._server = ProcessServer()
        self._console = console() if sys.stdout.isatty() else console(width=200)  # a file has room for long names
        self._gpus: list[str] | None = None  # not known yet
        self.runs: list[SweepRun] = []  # of all batches

    def launch(self, batch: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
        """Run a batch; what is complete is left as it is.

        Raises:
            UsageError: if runs can't be built, before the first one starts.
            SystemExit: with 128 and the signal's number, if a signal has stopped the sweep.
        """
        is_first = not self.runs
        planned = plan(self.loader, self.master, batch, first)
        runs = {run.folder: run for run in planned}
        self.runs += [run for folder, run in runs.items() if folder not in {r.folder for r in self.runs}]
        todo = [run for run in runs.values() if not _settle(run)]
        dry_runs = self._prepare(todo)
        configs, n_gpus = [run.config for run in todo], len(self._gpus or ())
        check_gpus(self._gpus_per_job, n_gpus, configs)
        demands = [read_demand(config, n_gpus, self._gpus_per_job) for config in configs]
        pool = make_pool(self._n_jobs, self._gpus or (), demands)
        n_threads = count_threads(pool, demands)
        if is_first:
            self._print(*estimate_cost(list(runs.values()), dry_runs, self.folder, _at_once(pool, n_threads)))
        if todo:
            script = os.path.abspath(getattr(sys.modules["__main__"], "__file__", None) or sys.argv[0])  # noqa: PTH100
            runner = Runner(self._server, script, n_threads, SweepTable(self._console, list(runs.values())))
            runner.run(list(zip(todo, demands, strict=True)), pool)
            self._leave_if_stopped(runner.stopped_by)
        return [self._tell(runs[run.folder]) for run in planned]

    def end(self) -> int:
        """Print what has come of it; returns the exit code."""
        for table in rank(self.runs):
            self._console.print(table)
        states = Counter(run.state for run in self.runs)
        counts = ", ".join(f"{n} {state}" for state, n in states.items())
        self._print(*list_failures(self.runs), f"{counts}: {self.folder}")
        self._lock.close()
        return 0 if states.keys() <= {"completed", "pruned"} else 1

    def _prepare(self, todo: Sequence[SweepRun]) -> list[DryRun]:
        """Before the first batch: look at the machine, and try the runs out.

        Raises:
            UsageError: with a line for each run that can't be built.
        """
        if self._gpus is not None or not todo:
            return []
        configs = [run.config for run in todo] if self._preflight else []
        n_gpus, *dry_runs = preflight(self._server, configs)
        self._gpus = name_gpus(n_gpus)
        sweeper: Any = self.master.hydra.get("sweeper") or {}
        if "objectives" in sweeper and "score" in (sweeper["objectives"] or ("score",)):
            why = "the search goes by the score, and there will be none"
            dry_runs = [r._replace(error=f"{why}: {r.unscored}") if r.unscored else r for r in dry_runs]
        wrong = [f"  {run.label}: {r.error}" for run, r in zip(todo, dry_runs, strict=False) if r.error]
        if wrong:
            self._print(*wrong)
            raise UsageError(
                f"{len(wrong)} of {len(todo)} cells can't be built, as said above, and none has been started: mend "
                "them, or run the others with preflight=skip."
            )
        return dry_runs

    def _leave_if_stopped(self, number: int) -> None:
        """Print the command that goes on: the same one; where the folder is named by the date, also the name."""
        if not number:
            return
        words = ["python", *sys.argv]
        if not any(word.lstrip("+").startswith(("sweep=", "hydra.sweep.dir=")) for word in words):
            key, value = ("sweep", self.folder.name) if "sweep" in self.master else ("hydra.sweep.dir", self.folder)
            words.append(f"{key}={quoted(value)}")
        name = signal.Signals(number).name
        self._print(f"Stopped by {name}. To go on where it has stopped, type", f"  {shlex.join(words)}")
        self.end()
        raise SystemExit(128 + number)

    def _tell(self, run: SweepRun) -> JobReturn:
        result = RunReturn(run.overrides, OmegaConf.create(run.config), run.hydra, str(Path.cwd()))
        result.task_name = self.master.hydra.job.name
        done = run.state in ("completed", "pruned")
        result.status = JobStatus.COMPLETED if done else JobStatus.FAILED
        result.return_value = read_outcome(run.folder).score if done else None
        return result

    def _print(self, *lines: str) -> None:
        for line in lines:
            self._console.print(line, soft_wrap=True)


def _settle(run: SweepRun) -> bool:
    """Whether a run needs no process: it is complete, or it has failed before and is to be left."""
    known = read_outcome(run.folder)
    if not run.is_training:
        return False
    if known.is_settled(run.fingerprint):
        run.state = known.status
    elif known.status == "failed" and not convert("retry_failed", run.config.get("retry_failed", True), bool):
        run.state, run.error = "failed", f"{known.error} (failed before, and left as retry_failed=false)"
    return run.state != "waiting"


def _at_once(pool: Pool, n_threads: int) -> str:
    room = f"{pool.n_jobs} at a time" if pool.n_jobs else "as many at a time as there is room for"
    where = f"GPUs {', '.join(pool.gpus)}" if pool.gpus else f"CPU, {n_threads} thread(s) a process"
    return f"{room}, on {where}"


def claim(folder: Path, owner: dict[str, str]) -> ExitStack:
    """Make a folder the sweep's, or take it up again.

    Args:
        folder: it is made.
        owner: what has to be equal for a sweep to go on: the job and the sweeper.

    Returns:
        What holds the lock until it is closed; it goes with this process, however that ends.

    Raises:
        UsageError: if something else is in the folder, or if another launcher is at work there.
    """
    _check_owner(folder, owner)
    busy = (
        f"Another launcher is at work on the sweep {folder}: wait until it has ended, stop it, or choose another name "
        "with sweep=NAME."
    )
    held = ExitStack()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held.enter_context(lock_file(folder / LOCK, busy))
        write_text(folder / OWNER, OmegaConf.to_yaml(OmegaConf.create(owner)))
    except OSError as error:
        raise UsageError(f"The sweep's folder {folder} can't be written to: {error}.") from error
    return held


def _check_owner(folder: Path, owner: dict[str, str]) -> None:
    another = "choose another name with sweep=NAME, or another folder with hydra.sweep.dir=PATH."
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file, so no sweep can be in it: {another}")
    if (folder / OWNER).is_file():
        try:
            theirs = read_mapping(folder, OWNER, parse_yaml, printable)
        except Unreadable as reason:
            log.warning("%s: %s. It is written again.", folder, reason)
            return
        for key, mine in owner.items():
            if theirs.get(key) != mine:
                raise UsageError(f"{folder} holds a sweep whose {key} is {theirs.get(key)}, not {mine}: {another}")
    elif folder.is_dir() and any(path.name != LOCK for path in folder.iterdir()):
        content = "a run" if (folder / "config.yaml").is_file() else "other files"
        raise UsageError(f"{folder} holds {content} and no sweep: {another}")
