"""What to type to make runs, and the report, again."""

import re
from pathlib import Path
from shlex import join, quote
from typing import Any

import yaml

from genlab.report.cell import Cell
from genlab.report.reading import Loader


def cell_command(cell: Cell) -> str | None:
    """The command that trains a cell again; None if the run has not recorded what was typed."""
    return join(["python", "src/train.py", *cell.overrides]) if "overrides" in cell.summary else None


def sweep_command(folder: Path) -> str | None:
    """The command of the whole sweep, from the `multirun.yaml` that Hydra leaves; None where there is none."""
    try:
        content: Any = yaml.load((folder / "multirun.yaml").read_text(), Loader)
        typed = [str(override) for override in content["hydra"]["overrides"]["task"]]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return None
    return join(["python", "src/train.py", "-m", *typed])


def traceback(cell: Cell, n_lines: int = 14) -> str:
    """The last lines of the newest traceback in `train.log`; nothing if there is none."""
    try:
        log = (cell.folder / "train.log").read_text(errors="replace")
    except OSError:
        return ""
    _, found, text = log.rpartition("Traceback (most recent call last):")
    text = re.split(r"^\[\d{4}-", text, maxsplit=1, flags=re.MULTILINE)[0]  # the next entry of the log
    return "\n".join(text.rstrip().splitlines()[-n_lines:]).strip("\n") if found else ""


def report_command(sweep_dir: Path | None, runs: list[Path]) -> str:
    """The command that makes the report again."""
    if sweep_dir is not None:
        return f"python src/report.py {quote(f'sweep={sweep_dir}')}"
    return f"python src/report.py {quote('runs=' + ','.join(map(str, runs)))}"
