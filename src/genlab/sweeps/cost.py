"""What a sweep is going to cost, before it starts."""

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from genlab.run.identity import read_outcome
from genlab.sweeps.plan import Cell

STATES_PER_WEIGHT = 4  # a checkpoint holds the weights, their average, and two moments of Adam


class DryRun(NamedTuple):
    """What has been found out of a configuration.

    Attributes:
        error: why training would refuse it, in a sentence; None if nothing speaks against it.
        n_parameters: of the model.
        n_bytes: of its weights.
        unscored: why it will end without a score; None if it will have one.
    """

    error: str | None = None
    n_parameters: int = 0
    n_bytes: int = 0
    unscored: str | None = None


def estimate_cost(cells: Sequence[Cell], dry_runs: Sequence[DryRun], folder: Path, at_once: str) -> list[str]:
    """Say in lines what there is to do.

    Args:
        cells: all cells.
        dry_runs: of those that have to run; empty if there was none.
        folder: of the sweep.
        at_once: how they are spread over the machine.
    """
    statuses = Counter(_status(cell) for cell in cells)
    parts = [f"{n} {status}" for status, n in statuses.items()]
    lines = [f"{len(cells)} cell(s) in {folder}: {', '.join(parts)}", at_once]
    if sizes := sorted(r.n_parameters for r in dry_runs if r.error is None):
        lines.append(f"parameters: {sizes[0]:,}" + (f" to {sizes[-1]:,}" if sizes[-1] != sizes[0] else ""))
        n_bytes = [r.n_bytes * STATES_PER_WEIGHT for r in dry_runs if r.error is None]
        lines.append(_disk(n_bytes, _files(cells), folder))
    if reasons := [r.unscored for r in dry_runs if r.unscored]:
        lines.append(f"{len(reasons)} cell(s) will end without a score: {reasons[0]}")
    return lines


def _status(cell: Cell) -> str:
    if cell.state != "waiting":
        return {"completed": "complete"}.get(cell.state, cell.state)
    checkpoints = cell.folder / "checkpoints"
    if checkpoints.is_dir() and any(checkpoints.glob("*.ckpt")):
        return "to go on"
    return "new" if read_outcome(cell.folder).status == "new" else "to start again"


def _files(cells: Sequence[Cell]) -> int:
    """Checkpoints of a cell: last, previous, best, and those that it keeps."""
    keeps = [((c.config.get("callbacks") or {}).get("checkpoint") or {}).get("keep") for c in cells]
    return max((3 + keep for keep in keeps if isinstance(keep, int)), default=0)


def _disk(n_bytes: Sequence[int], n_files: int, folder: Path) -> str:
    need = n_files * sum(n_bytes)
    free = shutil.disk_usage(folder).free
    warning = "" if need < free else f", which is more than the {size(free)} that are free"
    return (
        f"disk: about {size(need)} of checkpoints ({n_files} files a cell, each {STATES_PER_WEIGHT} times the "
        f"weights: weights, average and Adam's moments){warning}"
    )


def size(n_bytes: float) -> str:
    """As one would say it."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} TB"
