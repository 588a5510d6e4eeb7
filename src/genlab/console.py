"""What is printed: as it is, in any encoding, without secrets, and to whatever end of the console.

Imports nothing heavy.
"""

import io
import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from genlab.redaction import redact

if TYPE_CHECKING:
    from rich.console import Console

PLAIN: dict[str, Any] = {"markup": False, "highlight": False, "emoji": False}  # or `[cats]` is a style


def console(**options: Any) -> "Console":
    """A rich console that shows texts as they are."""
    from rich.console import Console

    return Console(**PLAIN, **options)


def duration(seconds: float) -> str:
    """As in `2 h 05 min`, `3 min 20 s` or `4.2 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60:,} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min {rest:02d} s"


def plus_minus(half: float | None) -> str:
    """Half the width of an interval, as in ` ± 7.1` or ` ± 107`; nothing for None."""
    return "" if half is None else f" ± {half:.2g}" if abs(half) < 99.5 else f" ± {half:,.0f}"


def protect_output() -> None:
    """Wrap `sys.stdout` and `sys.stderr`, once, so that they take any text and print no secret."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed, as by `>&-`
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace", write_through=True)
        if not isinstance(stream, Stream):
            setattr(sys, name, Stream(stream))


class Stream:
    """A stream of text to which no secret is written. What can't be written is dropped: a closed pipe ends no run.

    Where its `write` is replaced, as W&B does to record what is printed, the replacement gets the redacted text.
    """

    def __init__(self, stream: Any) -> None:
        self._stream, self._write = stream, stream.write

    @property
    def write(self) -> Callable[[str], Any]:
        """Write a text."""
        write = self._write

        def write_redacted(text: str) -> int:
            with suppress(OSError):
                write(redact(text))
            return len(text)

        return write_redacted

    @write.setter
    def write(self, write: Callable[[str], Any]) -> None:
        self._write = write

    def writelines(self, lines: Sequence[str]) -> None:
        """Write texts."""
        self.write("".join(lines))

    def flush(self) -> None:
        """Flush, as far as that is possible."""
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class ConsoleHandler(logging.StreamHandler):
    """Logs to whatever `sys.stdout` is at that moment, so that lines appear above a live progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record."""
        self.stream = sys.stdout
        super().emit(record)


class LogFile(logging.FileHandler):
    """A log file that says once that it can't be written; logging's own prints a traceback at every line."""

    _has_failed = False

    def __init__(self, filename: str, mode: str = "a", delay: bool = False) -> None:
        super().__init__(filename, mode, "utf-8", delay, errors="backslashreplace")

    def handleError(self, record: logging.LogRecord) -> None:
        """Say it."""
        if not self._has_failed:
            self._has_failed = True
            print(f"{self.baseFilename} can't be written ({sys.exc_info()[1]}): the run goes on.", file=sys.stderr)
