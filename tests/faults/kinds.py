"""All faults, a class each; those that leave something damaged are in damage.py, those of what a run starts or finds
around it in around.py.
"""

import os
import resource
import signal
from random import Random
from time import sleep
from typing import Any

from around import AROUND, children, command_line
from damage import CacheTruncated, Flipped, HalfRow, SummaryDamaged, Truncated
from fault import Fault
from training import INTERVAL, Training


class Signal(Fault):
    """A signal that ends the process."""

    def __init__(self, number: signal.Signals, code: int, may_lose: int) -> None:
        self.name, self.number, self.code, self.may_lose = number.name, number, code, may_lose

    def strike(self, run: Training, numbers: Random) -> None:
        """Send it and wait."""
        run.process.send_signal(self.number)
        run.ends(self.code)


class SaveSignal(Fault):
    """SIGUSR1, after which there has to be a checkpoint."""

    name, may_lose = "SIGUSR1", 0

    def strike(self, run: Training, numbers: Random) -> None:
        """Send it and wait for the checkpoint."""
        run.process.send_signal(signal.SIGUSR1)
        run.writes_checkpoint()


class DiskFull(Fault):
    """For a moment no file can be made longer: the kernel answers with EFBIG."""

    name, may_lose = "disk full for a moment", 0

    def strike(self, run: Training, numbers: Random) -> None:
        """Lower the limit of the process and put it back; then wait for a checkpoint."""
        pid = run.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (numbers.choice([0, 1000, 100_000]), before[1]))
        sleep(numbers.uniform(0.05, 0.4))
        if run.is_running:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
            run.writes_checkpoint()


class ReadOnly(Fault):
    """For a moment nothing can be written into the folder of the checkpoints. Root can, so it is not asked for then."""

    name, may_lose = "folder read-only for a moment", 0
    settings = ("vae", "gan", "vaegan") if os.geteuid() else ("nobody",)

    def strike(self, run: Training, numbers: Random) -> None:
        """Take the right away and give it back."""
        folder = run.folder / "checkpoints"
        folder.chmod(0o555)
        sleep(numbers.uniform(0.05, 0.4))
        folder.chmod(0o755)
        run.writes_checkpoint()


class Ordered(Fault):
    """Something that the saboteur does within the process, which ends by it."""

    def __init__(self, name: str, order: str, may_lose: int, is_exact: bool = True) -> None:
        self.name, self.order, self.may_lose, self.is_exact = name, order, may_lose, is_exact

    def strike(self, run: Training, numbers: Random) -> None:
        """Give the order and wait."""
        unfinished = run.folder / "order.tmp"
        unfinished.write_text(self.order)
        unfinished.rename(run.folder / "order")
        run.ends(1)


class ProcessKilled(Fault):
    """One of two processes is killed; the other one has to end by itself."""

    settings = ("ddp",)

    def __init__(self, name: str, is_first: bool) -> None:
        self.name, self.is_first = name, is_first

    def strike(self, run: Training, numbers: Random) -> None:
        """Kill it and wait for both."""
        pid = run.process.pid
        (other,) = (child for child in children(pid) if "train.py" in command_line(child))
        os.kill(pid if self.is_first else other, signal.SIGKILL)
        run.ends(*((-signal.SIGKILL,) if self.is_first else range(1, 256)))
        run.waits_for_all()


ALL: tuple[Any, ...] = (
    Signal(signal.SIGKILL, -signal.SIGKILL, INTERVAL),
    Signal(signal.SIGTERM, 128 + signal.SIGTERM, 0),
    Signal(signal.SIGINT, 128 + signal.SIGINT, 0),
    SaveSignal(),
    Truncated(),
    Flipped(),
    SummaryDamaged(),
    HalfRow(),
    CacheTruncated(),
    DiskFull(),
    ReadOnly(),
    Ordered("error in a callback, before a step", "fail before", 0),
    Ordered("error in a callback, after a step", "fail after", 0, is_exact=False),
    Ordered("loss that is NaN", "spoil", INTERVAL),
    ProcessKilled("first of two processes killed", is_first=True),
    ProcessKilled("second of two processes killed", is_first=False),
    *AROUND,
)
