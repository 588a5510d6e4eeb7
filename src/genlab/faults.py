"""What a run survives: a disk that is full for a while, a logger whose network is gone."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)

_failing: dict[str, str] = {}  # what can't be written at the moment, and why


@contextmanager
def survived(what: str, errors: type[Exception] | tuple[type[Exception], ...] = OSError) -> Iterator[None]:
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
    error = error.__cause__ or error
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def replacing(path: Path, shared: bool = False) -> Iterator[Path]:
    """Give a name to write to. The file becomes `path` once it is whole; if something fails, nothing stays of it.

    Whoever reads `path` sees the old file or the new one.

    Args:
        path: the file; its folder is made.
        shared: whether other runs may be writing it too. Otherwise the name is always the same, so that what a killed
            process has left is written over.
    """
    unfinished = path.with_name(f"{path.stem}.{os.getpid()}.tmp") if shared else path.with_suffix(".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
