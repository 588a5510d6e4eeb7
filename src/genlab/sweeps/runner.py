"""Runs the processes of a batch side by side, and says how each has ended."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from time import monotonic
from typing import Any, NamedTuple

from genlab.errors import UsageError
from genlab.interrupts import STOPS, stops
from genlab.locks import lock_file
from genlab.run.summary import read_outcome, write_summary
from genlab.sweeps.plan import SweepRun
from genlab.sweeps.process import kill_all, run_script
from genlab.sweeps.resources import Demand, Pool
from genlab.sweeps.table import SweepTable

SECONDS = 0.5  # between two looks at the processes
STOPPED = {code for number in STOPS for code in (128 + number, -number)}
COMMAND = re.compile(r"^\$ python .*\n", re.MULTILINE)  # with which a start begins in console.log
ERROR = re.compile(r"error: |[\w.]*(Error|Exception|Exit|Interrupt)(: |$)")


Following = Callable[[], tuple[SweepRun, Demand] | None]


class Work(NamedTuple):
    """A run that has been started."""

    run: SweepRun
    process: BaseProcess
    gpus: tuple[str, ...]
    start: float


class Runner:
    """Runs an entry script for each run, in processes of `n_threads` threads, and tells a table what happens.

    The first SIGINT, SIGTERM or SIGHUP has all of them save and stop; a second SIGINT kills them.
    """

    def __init__(self, context: Any, script: str, n_threads: int, table: SweepTable) -> None:
        self.context, self.script, self.n_threads, self.table = context, script, n_threads, table
        self.stopped_by = 0  # the signal
        self._kill = self._is_told = False
        self._at_work: list[Work] = []

    def run(self, following: Following, pool: Pool, tell: Callable[[SweepRun], None] = lambda run: None) -> None:
        """Run what follows, in its order, until all have ended, or until a signal has stopped them.

        Args:
            following: asked for the next run whenever there is room for one; None if there is none now.
            pool: what there is room for.
            tell: called with each run that has ended, but for those that a signal has stopped.
        """
        upcoming = None
        with self._signals(), self.table, self._none_left_behind():
            while True:
                while not self.stopped_by and not pool.is_full and (upcoming := upcoming or following()):
                    if (gpus := pool.take(upcoming[1].n_gpus)) is None:
                        break
                    self._start(upcoming[0], gpus)
                    upcoming = None
                if not self._at_work:
                    return
                wait([work.process.sentinel for work in self._at_work], timeout=SECONDS)
                if self.stopped_by:
                    self._stop()
                for work in [work for work in self._at_work if work.process.exitcode is not None]:
                    self._end(work)
                    pool.give_back(work.gpus)
                    if not (self.stopped_by and work.run.state == "interrupted"):
                        tell(work.run)
                self.table.refresh()

    @contextmanager
    def _none_left_behind(self) -> Iterator[None]:
        """Have the runs save and stop where an error ends the launcher."""
        try:
            yield
        except BaseException:
            for work in self._at_work:
                work.process.terminate()
            raise

    def _start(self, run: SweepRun, gpus: tuple[str, ...]) -> None:
        environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(self.n_threads))
        if gpus:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
        command = (self.script, run.command_line(), run.folder / "console.log", environment, self.n_threads)
        process = self.context.Process(target=run_script, args=command)
        process.start()
        self._at_work.append(Work(run, process, gpus, monotonic()))
        run.state = "running"
        self.table.add_start(run)

    def _end(self, work: Work) -> None:
        run, exit_code = work.run, work.process.exitcode or 0
        if exit_code:
            kill_all(work.process)  # what is left of its group may hold a GPU
        run.seconds = monotonic() - work.start
        run.state, run.error = read_exit_status(run, exit_code, self._kill)
        if run.state == "failed":
            record_failure(run)
        self._at_work.remove(work)
        self.table.add_end(run)

    def _stop(self) -> None:
        self.table.add_signal(self.stopped_by, self._kill)
        for work in self._at_work:
            if self._kill:
                kill_all(work.process)
            elif not self._is_told:
                work.process.terminate()
        self._is_told = True

    @contextmanager
    def _signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._note) for number in stops()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: Any) -> None:
        self._kill = self._kill or (number == signal.SIGINT and self.stopped_by != 0)
        self.stopped_by = self.stopped_by or number


def read_exit_status(run: SweepRun, exit_code: int, killed: bool) -> tuple[str, str | None]:
    """Return the state of a run whose process has ended (or was `killed` by the launcher), and why it failed."""
    if exit_code == 0:
        return ("pruned" if read_outcome(run.folder).status == "pruned" else "completed"), None
    if killed or exit_code in STOPPED:
        return "interrupted", None
    console = run.folder / "console.log"
    printed = console.read_text(encoding="utf-8", errors="replace") if console.is_file() else ""
    lines = [line for line in COMMAND.split(printed)[-1].splitlines() if line.strip()]
    error = next((line.removeprefix("error: ").strip() for line in reversed(lines) if ERROR.match(line)), None)
    return "failed", error or _explain(exit_code, lines)


def record_failure(run: SweepRun) -> None:
    """Have the folder of a run that has failed say so where its process could not, unless another one is at work."""
    if not run.is_training or read_outcome(run.folder).status == "failed":
        return
    with suppress(UsageError, OSError), lock_file(run.folder / ".lock"):
        write_summary(run.folder, status="failed", error=run.error)


def _explain(exit_code: int, lines: list[str]) -> str:
    if exit_code >= 0:
        return f"ended with exit code {exit_code}" + (f", after it had printed: {lines[-1].strip()}" if lines else "")
    name = signal.Signals(-exit_code).name if -exit_code in set(signal.Signals) else f"signal {-exit_code}"
    memory = ", as the system does to a process when memory runs out" if name == "SIGKILL" else ""
    return f"killed by {name}{memory}"
