"""Ends all processes of a run when one of them has died, where the others would wait for it for ever.

Imports nothing heavy: a process that rank 0 has started looks after that before all else.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from time import sleep
from typing import NamedTuple

from genlab.command_line import typed
from genlab.errors import UsageError
from genlab.interrupts import STOPS
from genlab.run.summary import end_summary

PARENT = "GENLAB_PARENT"  # environment variable: the process that has started this one, and the run folder
INTERVAL = 0.5  # seconds between two looks
PATIENCE = 3.0  # seconds in which it shows whether an error comes from a death
GRACE = 15.0  # seconds for the main thread to end by itself: gloo raises an error, NCCL waits
START_GRACE = 3.0  # before there is a group: who looks for the others waits for half an hour

_started_by: list[str] = []  # rank 0, if this process looks after it


class ProcessDied(UsageError):
    """Another process of this run is gone."""


class Death(NamedTuple):
    """That another process has ended.

    Attributes:
        reason: who has ended and how.
        signal: what has told it to stop, and so all of them; 0 if nothing has.
    """

    reason: str
    signal: int = 0

    @property
    def exit_code(self) -> int:
        """Of the processes that are left."""
        return 128 + self.signal if self.signal else 1

    def is_first_said(self, run_dir: Path) -> bool:
        """Write it into `summary.json`, unless the run has ended there already; whether it was written."""
        if self.signal:
            return end_summary(run_dir, "interrupted", signal.Signals(self.signal).name)
        return end_summary(run_dir, "failed", f"ProcessDied: {self.reason}")


class Watch(Thread):
    """Looks at the other processes from a thread, which goes on where the main one hangs.

    Args:
        death: says who has died and how; None while all live.
        run_dir: the run folder.
        end_others: ends the processes that are left, besides this one.
    """

    def __init__(self, death: Callable[[], Death | None], run_dir: Path, end_others: Callable[[], None]) -> None:
        super().__init__(daemon=True, name="watch")
        self.look, self.run_dir, self.end_others = death, run_dir, end_others
        self._over = Event()
        self._found = Event()
        self.death = Death("")

    def run(self) -> None:
        """Look until it is over. If the main thread does not end after a death, end the process."""
        while not self._over.wait(INTERVAL):
            if death := self.look():
                self.death = death
                self._found.set()
                self.end_others()
                if not self._over.wait(GRACE if _has_group() else START_GRACE):
                    end(death, self.run_dir)
                return

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch within it.

        Raises:
            ProcessDied: in place of the error that another's death has caused here.
            SystemExit: if the run's end has been told already, by another process, or if that was told to stop.
        """
        self.start()
        try:
            yield
        except UsageError:
            raise
        except SystemExit as left:
            if left.code:  # told to stop before the first step; after it (Lightning's has no code) all leave together
                self.end_others()
            raise
        except Exception as error:
            if self._found.wait(PATIENCE):
                is_said = self.death.signal or not self.death.is_first_said(self.run_dir)
                raise (SystemExit(self.death.exit_code) if is_said else ProcessDied(self.death.reason)) from error
            raise
        finally:
            self._over.set()


def end(death: Death, run_dir: Path) -> None:
    """End this process, and say why unless that has been said."""
    if death.is_first_said(run_dir) and not death.signal:
        print(f"error: {death.reason}", file=sys.stderr, flush=True)
    os._exit(death.exit_code)


def watch_children(children: Sequence[subprocess.Popen], run_dir: Path) -> Watch:
    """A watch of the process that has started the others, all of one machine."""

    def look() -> Death | None:
        for rank, child in enumerate(children, 1):
            if code := child.poll():
                number = -code if code < 0 else code - 128
                return Death(
                    f"The process of rank {rank} {_how(code)}. {_remedy(run_dir)}", number if number in STOPS else 0
                )
        return None

    def end_others() -> None:
        for child in children:
            child.kill()

    return Watch(look, run_dir, end_others)


@contextmanager
def known_to_children(run_dir: Path) -> Iterator[None]:
    """Start the other processes of a run within it: they look after this one from their beginning."""
    os.environ[PARENT] = f"{os.getpid()} {run_dir.absolute()}"
    try:
        yield
    finally:
        del os.environ[PARENT]


def watch_parent() -> None:
    """Have this process, which rank 0 has started, end when that is gone: there is nothing that it could do alone."""
    _started_by.append(os.environ[PARENT])
    parent, _, run_dir = os.environ.pop(PARENT).partition(" ")

    def look() -> None:
        while str(os.getppid()) == parent:
            sleep(INTERVAL)
        end(Death(f"The process of rank 0 has died. {_remedy(Path(run_dir))}"), Path(run_dir))

    Thread(target=look, daemon=True, name="watch").start()


@contextmanager
def blaming_parent() -> Iterator[None]:
    """Hold an error within it back for a while: if the death of rank 0 has caused it, this process ends by that."""
    try:
        yield
    except UsageError:
        raise
    except Exception:
        if _started_by:
            sleep(PATIENCE)
        raise


def _has_group() -> bool:
    import torch.distributed as dist

    return dist.is_available() and dist.is_initialized()


def _remedy(run_dir: Path) -> str:
    if any((run_dir / "checkpoints").glob("*.ckpt")):
        return f"The checkpoints are whole: go on with {typed('resume', run_dir)}"
    return f"There is no checkpoint in {run_dir} yet: type the command again."


def _how(code: int) -> str:
    if code > 0:
        return f"has failed with exit code {code} (its own message stands above)"
    name = signal.Signals(-code).name
    hint = ", as the kernel does where memory runs out" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}"
