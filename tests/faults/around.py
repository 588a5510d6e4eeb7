"""What may befall the processes that a run has started, and what it may find around it when it goes on."""

import os
import signal
from pathlib import Path
from random import Random
from typing import Any

from fault import Fault
from training import INTERVAL, Training


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def command_line(pid: int) -> str:
    """What a process was started with."""
    return Path(f"/proc/{pid}/cmdline").read_text()


class GroupSignal(Fault):
    """A signal to all processes of a run at once, as a terminal, `timeout` and queues send it."""

    settings = ("workers", "ddp")
    may_lose = 0

    def __init__(self, number: signal.Signals) -> None:
        self.name, self.number = f"{number.name} to the group", number

    def strike(self, run: Training, numbers: Random) -> None:
        """Send it and wait for all."""
        os.killpg(run.process.pid, self.number)
        run.ends(128 + self.number)
        run.waits_for_all()


class LoaderKilled(Fault):
    """One of the processes that read data is killed, as the kernel does where memory runs out.

    PyTorch tells the main thread of it at once, which may be in the middle of a step.
    """

    name, settings, is_exact = "data worker killed", ("workers",), False

    def strike(self, run: Training, numbers: Random) -> None:
        """Kill one; an epoch may end at that moment, and its workers with it."""
        run.waits_until(lambda: len(children(run.process.pid)) >= 2, "workers")
        os.kill(numbers.choice(children(run.process.pid)), signal.SIGKILL)
        run.ends(1)
        run.waits_for_all()


class Stopped(Fault):
    """SIGTERM; and the next process finds something else around it."""

    may_lose = 0

    def strike(self, run: Training, numbers: Random) -> None:
        """Stop, then change it."""
        run.process.send_signal(signal.SIGTERM)
        run.ends(128 + signal.SIGTERM)
        self.change(run)

    def change(self, run: Training) -> None:
        """What is changed."""
        raise NotImplementedError


class ConsoleFull(Stopped):
    """What it prints goes to a disk that is full."""

    name = "console full"

    def change(self, run: Training) -> None:
        """The device that is always full."""
        run.next_console = Path("/dev/full")


class ConsoleGone(Stopped):
    """What it prints goes into a pipe that nobody reads any more, as after `head -1`."""

    name = "console gone"

    def change(self, run: Training) -> None:
        """A pipe whose reader goes."""
        reader, writer = os.pipe()
        run.next_console = Path(f"/proc/{os.getpid()}/fd/{writer}")
        run.start()
        os.close(reader)
        os.close(writer)


class OtherThreads(Stopped):
    """Another number of threads is at hand, as where a sweep's last run has all cores."""

    name = "another number of threads"

    def change(self, run: Training) -> None:
        """Three in the place of one."""
        run.next_environment = {"OMP_NUM_THREADS": "3"}


class NoLocks(Fault):
    """SIGKILL, twice, on a file system that has no locks."""

    may_lose = INTERVAL

    def __init__(self, number: str) -> None:
        self.name, self.number = f"no locks ({number})", number

    def strike(self, run: Training, numbers: Random) -> None:
        """Kill the process, then the one that goes on there: such a file system never had a lock."""
        run.process.kill()
        run.ends(-signal.SIGKILL)
        (run.folder / ".lock").unlink(missing_ok=True)
        run.next_environment = {"NO_LOCKS": self.number}
        run.start()
        run.trains_until(0)
        run.process.kill()
        run.ends(-signal.SIGKILL)
        run.next_environment = {"NO_LOCKS": self.number}


AROUND: tuple[Any, ...] = (
    GroupSignal(signal.SIGTERM),
    GroupSignal(signal.SIGINT),
    LoaderKilled(),
    ConsoleFull(),
    ConsoleGone(),
    OtherThreads(),
    NoLocks("ENOSYS"),
    NoLocks("EOPNOTSUPP"),
)
