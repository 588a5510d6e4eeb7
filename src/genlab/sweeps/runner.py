"""Runs the cells of a batch side by side."""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from genlab.interrupts import stops
from genlab.sweeps.exit_status import record_failure, verdict
from genlab.sweeps.plan import Cell
from genlab.sweeps.process import Command, Server, kill_all
from genlab.sweeps.resources import Lease, Pool, Queue
from genlab.sweeps.view import View

SECONDS = 0.5  # between two looks at the cells
PATIENCE = 20.0  # seconds after which a process is known to have started


class Work(NamedTuple):
    """A cell that runs."""

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


class Crew:
    """The processes of the cells that run.

    The first SIGINT, SIGTERM or SIGHUP has all of them save and stop; a second SIGINT kills them.

    Args:
        server: starts processes.
        script: the entry script.
        n_threads: of each process.
        view: is told what happens.
    """

    def __init__(self, server: Server, script: str, n_threads: int, view: View) -> None:
        self.server, self.script, self.n_threads, self.view = server, script, n_threads, view
        self.stopped_by = 0  # the signal
        self._kill = False
        self._at_work: dict[int, tuple[Cell, Work]] = {}  # by process id
        self._told: set[int] = set()

    def run(self, queue: "Queue[int]", cells: Mapping[int, Cell], pool: Pool) -> None:
        """Run the cells of a queue, which holds their keys, until all have ended or a signal has stopped them."""
        with self._signals(), self.view:
            while True:
                while not self.stopped_by and (found := queue.next()):
                    self._start(cells[found[0]], found[1])
                if not self._at_work:
                    return
                wait([work.process.sentinel for _, work in self._at_work.values()], timeout=SECONDS)
                self._stop_if_told()
                for cell, work in list(self._at_work.values()):
                    if work.process.exitcode is not None:
                        self._end(cell, work)
                        pool.give_back(work.lease)
                self.view.refresh()

    def _start(self, cell: Cell, lease: Lease) -> None:
        console = cell.folder / "console.log"
        before = console.stat().st_size if console.is_file() else 0
        environment = dict(os.environ)
        environment |= {name: str(self.n_threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        if lease.gpus:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(lease.gpus)
        command = Command(self.script, cell.command_line(), console, environment, self.n_threads)
        process = self.server.start(command)
        assert process.pid is not None
        self._at_work[process.pid] = cell, Work(process, lease, monotonic(), console, before)
        cell.state = "running"
        self.view.started(cell)

    def _end(self, cell: Cell, work: Work) -> None:
        exit_code = work.process.exitcode or 0
        assert work.process.pid is not None
        if exit_code:
            kill_all(work.process)  # what is left of its group may hold a GPU
        cell.seconds = monotonic() - work.start
        cell.state, cell.error = verdict(cell, exit_code, work.console_start, self._kill)
        if cell.state == "failed":
            record_failure(cell)
        del self._at_work[work.process.pid]
        self.view.ended(cell)

    def _stop_if_told(self) -> None:
        if self.stopped_by:
            self.view.stopping(self.stopped_by, self._kill)
        for pid, (_, work) in self._at_work.items() if self.stopped_by else ():
            if self._kill:
                kill_all(work.process)
            elif pid not in self._told and work.listens():
                work.process.terminate()
                self._told.add(pid)

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
