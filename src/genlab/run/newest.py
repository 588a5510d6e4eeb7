"""From which of its checkpoints a run goes on."""

import logging
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from genlab.errors import UsageError
from genlab.run.checkpoint import DamagedCheckpoint, read_checkpoint

log = logging.getLogger(__name__)

CALLBACK = "genlab.callbacks.Checkpoint"


def checkpoint_folder(run: Path, callbacks: Mapping[Any, Any]) -> Path:
    """The folder of a run's checkpoints: the one that its callbacks write to, or else the one below its own."""
    nodes = [node for node in callbacks.values() if node and node.get("_target_") == CALLBACK]
    named = [Path(node["dirpath"]) for node in nodes]
    own = run / "checkpoints"
    return next((folder for folder in (*named, own) if checkpoints_in(folder)), own)


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints in a folder, the newest first. Raise a UsageError if the disk does not list it."""
    try:
        names = {path.name for path in folder.iterdir()}
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UsageError(
            f"{folder} can't be read ({error.strerror or error}): type the command again once the disk gives it."
        ) from error
    older = sorted((name for name in names if fnmatch(name, "step_*.ckpt")), reverse=True)
    return [folder / name for name in ("last.ckpt", "previous.ckpt", *older, "best.ckpt") if name in names]


def read_newest(paths: list[Path], may_begin_anew: bool = False) -> tuple[Path, dict[str, Any]] | None:
    """Read the first of these files that is whole; those before are put aside.

    Returns:
        None if there is none, or if there is one alone, damaged, and the run `may_begin_anew`.

    Raises:
        DamagedCheckpoint: if none is whole.
        UsageError: if one can't be read for another reason than its content.
    """
    is_first = len(paths) == 1 and not any(paths[0].parent.glob("*.damaged"))
    for n, path in enumerate(paths, 1):
        try:
            return path, read_checkpoint(path)
        except DamagedCheckpoint as error:
            if n < len(paths):
                log.warning("%s The run goes on from %s.", error, paths[n].name)
            elif is_first and may_begin_anew:
                log.warning("%s The run has written no other yet, and begins anew.", error)
            else:
                others = "" if len(paths) == 1 else ", and so are those before it"
                raise DamagedCheckpoint(f"{error} There is no other to go on from{others}.") from error
            _put_aside(path)
    return None


@rank_zero_only
def _put_aside(path: Path) -> None:
    path.replace(path.with_name(f"{path.name}.damaged"))  # or it would become `previous.ckpt` at the next save
