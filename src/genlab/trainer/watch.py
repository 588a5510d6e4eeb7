"""Ends all processes of a run when one of them has died, where the others would wait for it for ever.

A thread looks at the others: it runs on where the main one hangs. Imports nothing heavy: a process that rank 0 has
started watches that from its beginning.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from time import sleep

from genlab.command_line import typed
from genlab.errors import UsageError
from genlab.interrupts import STOPS
from genlab.run.summary import end_summary

PARENT = "GENLAB_PARENT"  # environment variable: the process that has started this one, and the run folder
INTERVAL = 0.5  # seconds between two looks
PATIENCE = 3.0  # seconds in which an error that another's death has caused waits for the watch to end this process


@contextmanager
def watching_children(children: Sequence[subprocess.Popen], run_dir: Path) -> Iterator[None]:
    """Watch the processes that this one, rank 0, has started: if one of them fails, all are ended."""
    over = Event()

    def look() -> None:
        while not over.wait(INTERVAL):
            for rank, child in enumerate(children, 1):
                if code := child.poll():
                    _kill(children)
                    number = -code if code < 0 else code - 128
                    _end(f"The process of rank {rank} {_how(code)}", run_dir, number if number in STOPS else 0)

    Thread(target=look, daemon=True, name="watch").start()
    try:
        with waiting_for_the_watch():
            yield
    except SystemExit as left:
        if left.code:  # stopped before the first step; after it (Lightning's has no code) all leave together
            _kill(children)
        raise
    finally:
        over.set()


@contextmanager
def waiting_for_the_watch() -> Iterator[None]:
    """Hold an error within it back for a while: if another's death has caused it, the watch ends this process."""
    try:
        yield
    except UsageError:
        raise
    except Exception:
        sleep(PATIENCE)
        raise


@contextmanager
def known_to_children(run_dir: Path) -> Iterator[None]:
    """Start the other processes of a run within it: they watch this one from their beginning."""
    os.environ[PARENT] = f"{os.getpid()} {run_dir.absolute()}"
    try:
        yield
    finally:
        del os.environ[PARENT]


def watch_parent() -> None:
    """Have this process, which rank 0 has started, end when that is gone: there is nothing that it could do alone."""
    parent, _, run_dir = os.environ.pop(PARENT).partition(" ")

    def look() -> None:
        while str(os.getppid()) == parent:
            sleep(INTERVAL)
        _end("The process of rank 0 has died", Path(run_dir))

    Thread(target=look, daemon=True, name="watch").start()


def _kill(children: Sequence[subprocess.Popen]) -> None:
    for child in children:
        child.kill()


def _end(reason: str, run_dir: Path, number: int = 0) -> None:
    """End this process after another's death; the first one that does says why.

    Args:
        reason: which process has died and how.
        run_dir: the run folder, for its summary.
        number: the signal that has stopped it, and so stops all of them; 0 for none.
    """
    if number:
        end_summary(run_dir, "interrupted", signal.Signals(number).name)
        os._exit(128 + number)
    remedy = f"There is no checkpoint in {run_dir} yet: type the command again."
    if any((run_dir / "checkpoints").glob("*.ckpt")):
        remedy = f"The checkpoints are whole: go on with {typed('resume', run_dir)}"
    if end_summary(run_dir, "failed", f"ProcessDied: {reason}. {remedy}"):
        print(f"error: {reason}. {remedy}", file=sys.stderr, flush=True)
    os._exit(1)


def _how(code: int) -> str:
    if code > 0:
        return f"has failed with exit code {code} (its own message stands above)"
    hint = ", as the kernel does where memory runs out" if code == -signal.SIGKILL else ""
    return f"was killed by {signal.Signals(-code).name}{hint}"
