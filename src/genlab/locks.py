"""Locks on files. They go with the processes that hold them, however those end, where the file system has locks."""

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from genlab.errors import UsageError

log = logging.getLogger(__name__)

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def lock_file(file: Path, busy: str = "", seconds: float = 0, waiting: str = "") -> Iterator[None]:
    """Hold the lock of a file. On a file system without locks nothing is held, with a warning.

    Args:
        file: it is made; its folder is not.
        busy: what to say if another process keeps it.
        seconds: how long to wait for that; -1 for as long as it takes.
        waiting: what to log after that, and then to wait for as long as it takes.

    Raises:
        UsageError: if another process keeps it.
        OSError: if the file can't be made.
    """
    lock = FileLock(file, fallback_to_soft=False)  # a soft one stays behind when its machine dies
    try:
        try:
            lock.acquire(timeout=seconds)
        except Timeout:
            if not waiting:
                raise UsageError(busy) from None
            log.info(waiting)
            lock.acquire()
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in NO_LOCKS:
            raise
        log.warning("%s can't be locked (%s): see to it that no other process works there.", file, error)
    try:
        yield
    finally:
        lock.release()
