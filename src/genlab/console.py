"""What is printed: as it is, in any encoding, and to whatever end of the console. Imports nothing heavy."""

import codecs
import io
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

PLAIN: dict[str, Any] = {"markup": False, "highlight": False, "emoji": False}  # or `[cats]` is a style
LIKE = {"•": "*", "…": "...", "–": "-", "—": "-", "±": "+-", "↓": "v", "↑": "^", "×": "x", "Ψ": "Psi", "·": "-"}


def console(**options: Any) -> "Console":
    """A rich console that shows texts as they are.

    Args:
        **options: of rich's own.
    """
    from rich.console import Console

    return Console(**PLAIN, **options)


def duration(seconds: float) -> str:
    """As in `2 h 05 min`, `3 min 20 s` or `4.2 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60:,} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min {rest:02d} s"


class LastingStream(io.TextIOWrapper):
    """A stream of text whose failures end nothing: a pipe that nobody reads any more, a disk that is full."""

    before: Any = None  # the stream in whose place it stands

    def write(self, text: str) -> int:
        """Write, or drop it."""
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, or drop it."""
        with suppress(OSError):
            super().flush()


def keep_printing() -> None:
    """Have `sys.stdout` and `sys.stderr` take any text: characters that they have not are shown as something alike."""
    codecs.register_error("genlab.alike", _alike)
    sys.stdout, sys.stderr = (_lasting(stream) for stream in (sys.stdout, sys.stderr))


def _lasting(stream: Any) -> Any:
    if stream is None:  # closed, as by `>&-`
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123
    if not isinstance(stream, io.TextIOWrapper):
        return stream  # of a notebook or a test
    stream.flush()
    lasting = LastingStream(
        stream.buffer, stream.encoding, "genlab.alike", line_buffering=stream.line_buffering, write_through=True
    )
    lasting.before = stream  # which would close the buffer when it goes
    return lasting


def _alike(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(LIKE.get(character, "?") for character in error.object[error.start : error.end]), error.end


class ConsoleHandler(logging.StreamHandler):
    """Logs to whatever `sys.stdout` is at that moment, so that lines appear above a live progress bar."""

    @property
    def stream(self) -> Any:
        """The stream; logging's own handler keeps the one of its creation."""
        return sys.stdout

    @stream.setter
    def stream(self, value: Any) -> None:
        pass


class LogFile(logging.FileHandler):
    """A log file that says once that it can't be written; logging's own prints a traceback at every line."""

    _said = False

    def __init__(self, filename: str, mode: str = "a", delay: bool = False) -> None:
        if Path(filename).is_fifo():  # which waits for somebody to read it
            print(f"{filename} is no regular file and can't be written: the run goes on.", file=sys.stderr)
            filename = os.devnull
        super().__init__(filename, mode, "utf-8", delay, errors="backslashreplace")

    def handleError(self, record: logging.LogRecord) -> None:
        """Say it."""
        if not self._said:
            self._said = True
            print(f"{self.baseFilename} can't be written ({sys.exc_info()[1]}): the run goes on.", file=sys.stderr)
