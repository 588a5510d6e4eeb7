"""Locks on files. They go with the processes that hold them, however those end, where the file system has locks."""

import errno
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, SoftFileLock, Timeout

from genlab.errors import UsageError

log = logging.getLogger(__name__)

WAIT = 3600.0  # seconds, for a holder of which nobody can say whether it is still there
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def lock_file(file: Path, busy: str, seconds: float = 0, waiting: str = "") -> Iterator[None]:
    """Hold the lock of a file within it.

    A file system without locks gives one that its holder has to remove (filelock's `SoftFileLock`), which a machine
    that has died never does; or none at all, which is said.

    Args:
        file: it is made; its folder is not.
        busy: what to say if another process keeps it.
        seconds: how long to wait for that.
        waiting: what to say, and then to wait until it has ended; at most an hour on a file system without locks.

    Raises:
        UsageError: if another process keeps it.
        OSError: if the file can't be made.
    """
    held = FileLock(file)
    try:
        with warnings.catch_warnings(action="ignore"):  # that it is a soft one
            _acquire(held, seconds, waiting)
    except Timeout:
        is_soft = isinstance(held, SoftFileLock)
        gone = f" Its file system has no locks: if that process is gone, remove {file}." if is_soft else ""
        raise UsageError(f"{busy}{gone}") from None
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in NO_LOCKS:
            raise
        log.warning("%s can't be locked (%s): see to it that no other process works there.", file, error)
        yield
        return
    try:
        yield
    finally:
        held.release()


def _acquire(held: FileLock, seconds: float, waiting: str) -> None:
    try:
        held.acquire(timeout=seconds)
    except Timeout:
        if not waiting:
            raise
        log.info(waiting)
        held.acquire(timeout=WAIT if isinstance(held, SoftFileLock) else -1)
