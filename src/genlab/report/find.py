"""Finding run folders."""

import os
from collections.abc import Sequence
from glob import glob
from pathlib import Path

from genlab.errors import UsageError, unknown

FILES = ("config.yaml", "summary.json", "metrics.csv")  # any of them makes a folder a run folder
OF_A_RUN = {"checkpoints", "samples", "reconstructions"}


def sweep_folder(sweep: str, log_dir: Path) -> Path:
    """The folder of a sweep, by its path or by its name alone; raise a UsageError if there is none."""
    home = log_dir / "train" / "sweeps"
    for folder in (Path(sweep), home / sweep):
        if folder.is_dir():
            return folder
    if not (names := sorted(path.name for path in home.glob("*") if path.is_dir())):
        raise UsageError(f"There is no sweep {sweep!r}: it is no folder, and {home} holds none. Type sweep=PATH.")
    raise UsageError(f"{unknown('sweep', sweep, names)[:-1]} (in {home}), or the path of any folder of run folders.")


def run_folders(folder: Path) -> list[Path]:
    """All run folders in a folder, at any depth, or the folder itself; raise a UsageError if there is none."""
    found = []
    for root, folders, files in os.walk(folder):
        is_run = any(name in files for name in FILES)
        folders[:] = [name for name in folders if name not in OF_A_RUN and not is_run]
        if is_run:
            found.append(Path(root))
    if not found:
        raise UsageError(f"{folder} holds no run: a run folder is one with {', '.join(FILES)}, at any depth.")
    return sorted(found)


def named_folders(runs: Sequence[str]) -> list[Path]:
    """The run folders that paths and patterns (`logs/train/runs/2026-11-*`) name, each once; raise a UsageError for one
    that names none.
    """
    found: dict[Path, None] = {}
    for run in runs:
        folders = [path for path in map(Path, [run, *sorted(glob(run))]) if path.is_dir()]  # noqa: PTH207 (absolute)
        if not folders:
            raise UsageError(f"runs={run} names no folder: give run folders, such as logs/train/runs/DATE_TIME, or *.")
        found |= dict.fromkeys(path for folder in folders for path in run_folders(folder))
    return list(found)
