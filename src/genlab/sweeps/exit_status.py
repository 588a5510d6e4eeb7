"""How a cell's process has ended, and what its folder is to say of it."""

import re
import signal
from pathlib import Path

from genlab.files import write_text
from genlab.plain import to_json
from genlab.run.identity import read_outcome
from genlab.sweeps.plan import Cell

STOPS = ("SIGTERM", "SIGINT", "SIGHUP")
STOPPED = {code for name in STOPS if (n := getattr(signal, name, None)) for code in (128 + n, -n)}
ERROR = re.compile(r"error: |[\w.]*(Error|Exception|Exit|Interrupt)(: |$)")


def verdict(cell: Cell, exit_code: int, console_start: int, killed: bool) -> tuple[str, str | None]:
    """Return the state of a cell whose process has ended, and why it failed.

    Args:
        cell: the cell.
        exit_code: of its process, negative if a signal has ended it.
        console_start: where in its `console.log` this process began to write.
        killed: whether the launcher has killed it.
    """
    if exit_code == 0:
        status = read_outcome(cell.folder).status
        return ("pruned" if status == "pruned" else "completed"), None
    if killed or exit_code in STOPPED:
        return "interrupted", None
    lines = _printed(cell.folder / "console.log", console_start)
    error = next((line.removeprefix("error: ").strip() for line in reversed(lines) if ERROR.match(line)), None)
    return "failed", error or _reason(exit_code, lines)


def record_failure(cell: Cell) -> None:
    """Have the folder of a cell that has failed say so where its process could not, unless another one is at work."""
    from filelock import FileLock, Timeout

    if not cell.is_training or read_outcome(cell.folder).status == "failed":
        return
    try:
        with FileLock(cell.folder / ".lock", timeout=0):
            summary = dict(read_outcome(cell.folder).summary) | {"status": "failed", "error": cell.error}
            write_text(cell.folder / "summary.json", to_json(summary))
    except (Timeout, OSError):
        pass


def _printed(console: Path, start: int) -> list[str]:
    try:
        with console.open("rb") as file:
            file.seek(start)
            _command, *lines = file.read().decode(errors="replace").splitlines()
            return [line for line in lines if line.strip()]
    except (OSError, ValueError):
        return []


def _reason(exit_code: int, lines: list[str]) -> str:
    if exit_code >= 0:
        return f"ended with exit code {exit_code}" + (f", after it had printed: {lines[-1].strip()}" if lines else "")
    name = signal.Signals(-exit_code).name if -exit_code in set(signal.Signals) else f"signal {-exit_code}"
    memory = ", as the system does to a process when memory runs out" if name == "SIGKILL" else ""
    return f"killed by {name}{memory}"
