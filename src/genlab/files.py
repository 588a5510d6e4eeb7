"""Writing files: atomically, and without ending the run where the disk is full for a while."""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from math import isfinite
from pathlib import Path
from typing import Any

from genlab.errors import causes, one_line

log = logging.getLogger(__name__)

_failing: dict[str, str] = {}  # what can't be written at the moment, and why


@contextmanager
def warn_on_failure(what: str, errors: type[Exception] | tuple[type[Exception], ...] = OSError) -> Iterator[None]:
    """Suppress errors of writing `what`, so that training goes on: warn at the first, and again when it works."""
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
    """Describe an error in one line, by what it was raised from if there is such."""
    error = [*causes(error)][:2][-1]
    return one_line(error)


@contextmanager
def atomic_write(path: Path, shared: bool = False) -> Iterator[Path]:
    """Give a temporary path to write to, which becomes `path` once it is on the disk; nothing stays after an error.

    Whoever reads `path` sees the old file or the new one, also after a power cut.

    Args:
        path: the file; its folder is made.
        shared: whether other processes may write it at the same time. If not, the temporary name is always the same,
            so that what a killed process has left is overwritten.
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
    """Flush a file, or the names of the files in a folder, to the disk."""
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


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically; its folder is made."""
    with atomic_write(path) as unfinished:
        unfinished.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a file atomically as UTF-8; what is no Unicode, as in some file names, is written as `\\udcff`."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, node: Any) -> None:
    """Write plain containers atomically as JSON: NaN and infinity become null, as the format has neither."""
    write_text(path, json.dumps(_finite(node), indent=2, allow_nan=False) + "\n")


def _finite(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _finite(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_finite(value) for value in node]
    return None if isinstance(node, float) and not isfinite(node) else node
