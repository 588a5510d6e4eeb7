"""Runs the processes of a batch side by side, and says how each has ended."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from genlab.errors import UsageError
from genlab.interrupts import STOPS, stops
from genlab.locks import lock_file
from genlab.run.summary import read_outcome, write_summary
from genlab.sweeps.plan import SweepRun
from genlab.sweeps.process import ProcessServer, kill_all, run_script
from genlab.sweeps.resources import Demand, Lease, Pool
from genlab.sweeps.table import SweepTable

SECONDS = 0.5  # between two looks at the processes
PATIENCE = 20.0  # seconds after which a process is known to have started
STOPPED = {code for number in STOPS for code in (128 + number, -number)}
ERROR = re.compile(r"error: |[\w.]*(Error|Exception|Exit|Interrupt)(: |$)")


class Work(NamedTuple):
    """A run that has been started."""

    run: SweepRun
    process: BaseProcess
    lease: Lease
    start: float
    console: Path
    console_start: int  # its length before

    def listens(self) -> bool:
        """Whether the process has come so far that a signal reaches it: its server ignores them.

        It says so in its console file, unless the disk does not take that.
        """
        has_printed = self.console.is_file() and self.console.stat().st_size > self.console_start
        return has_printed or monotonic() - self.start > PATIENCE


class Runner:
    """Runs an entry script for each run, in processes of `n_threads` threads, and tells a table what happens.

    The first SIGINT, SIGTERM or SIGHUP has all of them save and stop; a second SIGINT kills them.
    """

    def __init__(self, server: ProcessServer, script: str, n_threads: int, table: SweepTable) -> None:
        self.server, self.script, self.n_threads, self.table = server, script, n_threads, table
        self.stopped_by = 0  # the signal
        self._kill = False
        self._at_work: list[Work] = []
        self._told: set[int | None] = set()  # process ids

    def run(self, waiting: list[tuple[SweepRun, Demand]], pool: Pool) -> None:
        """Run what waits until all have ended, or until a signal has stopped them."""
        with self._signals(), self.table:
            while True:
                while not self.stopped_by and (found := pool.take_next(waiting)):
                    self._start(*found)
                if not self._at_work:
                    return
                wait([work.process.sentinel for work in self._at_work], timeout=SECONDS)
                self._stop_if_told()
                for work in [work for work in self._at_work if work.process.exitcode is not None]:
                    self._end(work)
                    pool.give_back(work.lease)
                self.table.refresh()

    def _start(self, run: SweepRun, lease: Lease) -> None:
        console = run.folder / "console.log"
        before = console.stat().st_size if console.is_file() else 0
        environment = dict(os.environ)
        environment |= {name: str(self.n_threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        if lease.gpus:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(lease.gpus)
        command = (self.script, run.command_line(), console, environment, self.n_threads)
        process = self.server.call(run_script, *command)
        self._at_work.append(Work(run, process, lease, monotonic(), console, before))
        run.state = "running"
        self.table.add_start(run)

    def _end(self, work: Work) -> None:
        run, exit_code = work.run, work.process.exitcode or 0
        if exit_code:
            kill_all(work.process)  # what is left of its group may hold a GPU
        run.seconds = monotonic() - work.start
        run.state, run.error = read_exit_status(run, exit_code, work.console_start, self._kill)
        if run.state == "failed":
            record_failure(run)
        self._at_work.remove(work)
        self.table.add_end(run)

    def _stop_if_told(self) -> None:
        if not self.stopped_by:
            return
        self.table.add_signal(self.stopped_by, self._kill)
        for work in self._at_work:
            if self._kill:
                kill_all(work.process)
            elif work.process.pid not in self._told and work.listens():
                work.process.terminate()
                self._told.add(work.process.pid)

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


def read_exit_status(run: SweepRun, exit_code: int, console_start: int, killed: bool) -> tuple[str, str | None]:
    """Return the state of a run whose process has ended, and why it failed.

    Args:
        run: what has run.
        exit_code: negative if a signal has ended it.
        console_start: where in its `console.log` this process began to write.
        killed: by the launcher.
    """
    if exit_code == 0:
        return ("pruned" if read_outcome(run.folder).status == "pruned" else "completed"), None
    if killed or exit_code in STOPPED:
        return "interrupted", None
    lines = _read_printed(run.folder / "console.log", console_start)
    error = next((line.removeprefix("error: ").strip() for line in reversed(lines) if ERROR.match(line)), None)
    return "failed", error or _explain(exit_code, lines)


def record_failure(run: SweepRun) -> None:
    """Have the folder of a run that has failed say so where its process could not, unless another one is at work."""
    if not run.is_training or read_outcome(run.folder).status == "failed":
        return
    with suppress(UsageError, OSError), lock_file(run.folder / ".lock"):
        write_summary(run.folder, status="failed", error=run.error)


def _read_printed(console: Path, start: int) -> list[str]:
    try:
        with console.open("rb") as file:
            file.seek(start)
            _command, *lines = file.read().decode(errors="replace").splitlines()
            return [line for line in lines if line.strip()]
    except (OSError, ValueError):
        return []


def _explain(exit_code: int, lines: list[str]) -> str:
    if exit_code >= 0:
        return f"ended with exit code {exit_code}" + (f", after it had printed: {lines[-1].strip()}" if lines else "")
    name = signal.Signals(-exit_code).name if -exit_code in set(signal.Signals) else f"signal {-exit_code}"
    memory = ", as the system does to a process when memory runs out" if name == "SIGKILL" else ""
    return f"killed by {name}{memory}"
