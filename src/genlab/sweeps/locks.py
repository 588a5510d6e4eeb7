"""Who may work in a folder. The locks go with the processes that hold them, however those end."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from genlab.errors import UsageError

log = logging.getLogger(__name__)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep a second search out of a sweep's folder.

    Raises:
        UsageError: if there is one already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".search.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UsageError(f"Another process is searching in {folder}: wait until it has ended, or stop it.") from None
    try:
        yield
    finally:
        lock.release()


def wait_for(run_dir: Path) -> None:
    """Wait for a process that goes on with a trial after its search was killed."""
    if not (run_dir / ".lock").exists():
        return
    lock = FileLock(run_dir / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("A process of an earlier start is still training in %s: the search waits for it.", run_dir)
        lock.acquire()
    lock.release()
