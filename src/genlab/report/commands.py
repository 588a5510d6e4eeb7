"""What to type to make runs, and the report, again."""

import re
from pathlib import Path
from shlex import join

from genlab.command_line import typed
from genlab.foreign import Unreadable, own_file, parse_yaml, printable, read_mapping
from genlab.report.cell import Cell
from genlab.report.reading import legible

LOG_END = 2**20  # bytes of a log in which its newest traceback is looked for


def cell_command(cell: Cell) -> str | None:
    """The command that trains a cell again; None if the run has not recorded what was typed."""
    return join(["python", "src/train.py", *cell.overrides]) if "overrides" in cell.summary else None


def sweep_command(folder: Path) -> str | None:
    """The command of the whole sweep, from the `multirun.yaml` that Hydra leaves; None where there is none."""
    try:
        content = read_mapping(folder, "multirun.yaml", parse_yaml, legible)
        given = [str(override) for override in content["hydra"]["overrides"]["task"]]
    except (Unreadable, KeyError, TypeError):
        return None
    return join(["python", "src/train.py", "-m", *given])


def traceback(cell: Cell, n_lines: int = 14) -> str:
    """The last lines of the newest traceback in `train.log`; nothing if there is none."""
    try:
        path = own_file(cell.folder, "train.log")
        if path is None:
            return ""
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_END))
            log = file.read().decode(errors="replace")
    except (OSError, RuntimeError, Unreadable):
        return ""
    _, found, text = log.rpartition("Traceback (most recent call last):")
    text = re.split(r"^\[\d{4}-", text, maxsplit=1, flags=re.MULTILINE)[0]  # the next entry of the log
    return printable("\n".join(text.rstrip().splitlines()[-n_lines:]).strip("\n")) if found else ""


def report_command(sweep_dir: Path | None, runs: list[Path]) -> str:
    """The command that makes the report again."""
    which = typed("sweep", sweep_dir) if sweep_dir is not None else typed("runs", runs)
    return f"python src/report.py {which}"
