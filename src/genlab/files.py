"""What a run survives: a disk that is full for a while, a logger whose network is gone."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from genlab.errors import causes

log = logging.getLogger(__name__)

_failing: dict[str, str] = {}  # what can't be written at the moment, and why


@contextmanager
def warn_on_failure(what: str, errors: type[Exception] | tuple[type[Exception], ...] = OSError) -> Iterator[None]:
    """Let errors pass within it: training goes on. They are said once, and once more when it works again.

    Args:
        what: what is written within it, by the name under which it is missed.
        errors: which of them pass. An interruption of the run always gets through.
    """
    try:
        yield
    except errors as error:
        if what not in _failing:
            log.warning("%s can't be written (%s): training goes on, and tries again.", what, reason(error))
        _failing[what] = reason(error)
    else:
        if _failing.pop(what, None):
            log.warning("%s can be written again.", what)


def missing() -> dict[str, str]:
    """What could not be written at the newest attempt, with the reasons."""
    return dict(_failing)


def forget() -> None:
    """Start with nothing missing, as a new run does."""
    _failing.clear()


def reason(error: BaseException) -> str:
    """Say an error in one line: what it came from, if it says that; some have no text of their own."""
    error = [*causes(error)][:2][-1]
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def atomic_write(path: Path, shared: bool = False) -> Iterator[Path]:
    """Give a name to write to. The file becomes `path` once it is whole; if something fails, nothing stays of it.

    Whoever reads `path` sees the old file or the new one, also after a power cut: it gets its name when it is on the
    disk. All files that somebody relies on are written in this way.

    Args:
        path: the file; its folder is made.
        shared: whether other runs may be writing it too. Otherwise the name is always the same, so that what a killed
            process has left is written over.
    """
    unfinished = path.with_name(f"{path.stem}.{os.getpid()}.tmp") if shared else path.with_suffix(".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        flush(unfinished)
        unfinished.replace(path)
        flush(path.parent)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def flush(path: Path) -> None:
    """Have a file, or the names of the files in a folder, on the disk and not in the memory alone."""
    if not path.is_dir():
        with path.open("r+b") as file:
            os.fsync(file.fileno())
    elif hasattr(os, "O_DIRECTORY"):
        with suppress(OSError):  # not every file system, nor every folder, lets its names be flushed
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def write_bytes(path: Path, content: bytes, shared: bool = False) -> None:
    """Write a file whole or not at all.

    Args:
        path: the file; its folder is made.
        content: what it will hold.
        shared: see `atomic_write`.
    """
    with atomic_write(path, shared) as unfinished:
        unfinished.write_bytes(content)


def write_text(path: Path, text: str, shared: bool = False) -> None:
    """Write a file as UTF-8, whatever the locale, whole or not at all.

    What is no Unicode, as in a file name of another encoding, is written as `\\udcff`.

    Args:
        path: the file; its folder is made.
        text: what it will hold, with its ends of lines.
        shared: see `atomic_write`.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"), shared)
