"""Ends all processes of a run when one of them has died, where the others would wait for it for ever."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from lightning.pytorch.utilities.exceptions import SIGTERMException

from genlab.errors import UsageError
from genlab.runs.folder import read_summary, write_summary

PARENT = "GENLAB_PARENT"  # environment variable: the process that has started this one
INTERVAL = 0.5  # seconds between two looks
PATIENCE = 3.0  # seconds in which it shows whether an error comes from a death
GRACE = 15.0  # seconds for the main thread to end by itself: gloo raises an error, NCCL waits


class ProcessDied(UsageError):
    """Another process of this run is gone."""


class Watch(Thread):
    """Looks at the other processes from a thread, which goes on where the main one hangs.

    Args:
        death: says who has died and how; None while all live.
        run_dir: the run folder.
        end_others: ends the processes that are left, besides this one.
    """

    def __init__(self, death: Callable[[], str | None], run_dir: Path, end_others: Callable[[], None]) -> None:
        super().__init__(daemon=True, name="watch")
        self.death, self.run_dir, self.end_others = death, run_dir, end_others
        self._over = Event()
        self._found = Event()
        self.reason = ""

    def run(self) -> None:
        """Look until it is over. If the main thread does not end after a death, end the process."""
        while not self._over.wait(INTERVAL):
            if reason := self.death():
                self.reason = reason
                self._found.set()
                self.end_others()
                if not self._over.wait(GRACE):
                    if self._is_first_to_say():
                        print(f"error: {self.reason}", file=sys.stderr, flush=True)
                    os._exit(1)
                return

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch within it.

        Raises:
            ProcessDied: in place of the error that another's death has caused here.
            SystemExit: if the run's end has been told already, by another process.
        """
        self.start()
        try:
            yield
        except (UsageError, SIGTERMException):
            raise
        except Exception as error:
            if self._found.wait(PATIENCE):
                raise (ProcessDied(self.reason) if self._is_first_to_say() else SystemExit(1)) from error
            raise
        finally:
            self._over.set()

    def _is_first_to_say(self) -> bool:
        """Write it into `summary.json`, unless the run has ended there already."""
        if read_summary(self.run_dir).get("status") != "running":
            return False
        write_summary(self.run_dir, {"status": "failed", "error": f"ProcessDied: {self.reason}"})
        return True


def watch_children(children: Sequence[subprocess.Popen], run_dir: Path) -> Watch:
    """A watch of the process that has started the others, all of one machine."""

    def death() -> str | None:
        for rank, child in enumerate(children, 1):
            if code := child.poll():
                return f"The process of rank {rank} {_how(code)}. {_remedy(run_dir)}"
        return None

    def end_others() -> None:
        for child in children:
            child.kill()

    return Watch(death, run_dir, end_others)


def watch_parent(run_dir: Path) -> Watch | None:
    """A watch of a process that another one of this run has started; None for one that something else has."""
    parent = os.getppid()
    if os.environ.get(PARENT) != str(parent):
        return None

    def death() -> str | None:
        return f"The process of rank 0 has died. {_remedy(run_dir)}" if os.getppid() != parent else None

    return Watch(death, run_dir, lambda: None)


def _remedy(run_dir: Path) -> str:
    return f"The checkpoints are whole: go on with resume={run_dir}"


def _how(code: int) -> str:
    if code > 0:
        return f"has failed with exit code {code} (its own message stands above)"
    name = signal.Signals(-code).name
    hint = ", as the kernel does where memory runs out" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}"
