"""From which of its checkpoints a run goes on."""

import logging
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from genlab.errors import UsageError
from genlab.foreign import Unreadable, parse_yaml, read_mapping
from genlab.run.checkpoint import DamagedCheckpoint, read_checkpoint

log = logging.getLogger(__name__)

CALLBACK = "genlab.callbacks.Checkpoint"


def checkpoint_folder(run: Path, callbacks: Mapping[Any, Any] | None = None) -> Path:
    """The folder of a run's checkpoints: below its own, unless its configuration has named another one.

    Args:
        run: the run folder.
        callbacks: as they are configured now, if the run is to be written to: where they write goes before its own
            folder. If left out, what the run's `config.yaml` says is looked at where that holds none.
    """
    own = run / "checkpoints"
    named = _named(callbacks) if callbacks is not None else _named(_recorded(run))
    order = [*named, own] if callbacks is not None else [own, *named]
    return next((folder for folder in order if any(name.endswith(".ckpt") for name in _names(folder))), own)


def _names(folder: Path) -> set[str]:
    """What is in a folder; nothing if it is not there.

    Raises:
        UsageError: if the disk does not say so: whoever takes it for empty would begin anew.
    """
    try:
        return {path.name for path in folder.iterdir()}
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except OSError as error:
        raise UsageError(
            f"{folder} can't be read ({error.strerror or error}): type the command again once the disk gives it."
        ) from error


def _named(callbacks: Mapping[Any, Any]) -> list[Path]:
    nodes = [node for node in callbacks.values() if node and node.get("_target_") == CALLBACK]
    return [Path(node["dirpath"]) for node in nodes if "${" not in node["dirpath"]]


def _recorded(run: Path) -> Mapping[Any, Any]:
    """The callbacks in `config.yaml`, as they stand there: it may come from elsewhere, so nothing is resolved."""
    try:
        callbacks = read_mapping(run, "config.yaml", parse_yaml)["callbacks"]
        return {name: node for name, node in callbacks.items() if isinstance(node, dict) and "dirpath" in node}
    except (Unreadable, KeyError, AttributeError):  # the run's own folder is looked at all the same
        return {}


def why_no_checkpoint(run: Path, resume: str) -> str:
    """What to say of a run folder without checkpoints."""
    said = f"resume={resume} holds no checkpoint: there is nothing to go on from"
    if (elsewhere := checkpoint_folder(run)) == run / "checkpoints":
        return f"{said}."
    return f"{said}, unless you type callbacks.checkpoint.dirpath={elsewhere}, which its config.yaml names."


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints of a run, the newest first."""
    names = _names(folder)
    older = sorted((name for name in names if fnmatch(name, "step_*.ckpt")), reverse=True)
    return [folder / name for name in ("last.ckpt", "previous.ckpt", *older, "best.ckpt") if name in names]


def is_first_damaged(paths: list[Path]) -> bool:
    """Whether all that a run has written yet is one checkpoint, and that is damaged; it is put aside then."""
    if len(paths) > 1 or any(paths[0].parent.glob("*.damaged")):
        return False
    try:
        read_checkpoint(paths[0])
    except DamagedCheckpoint as error:
        log.warning("%s The run has written no other yet, and begins anew.", error)
        _put_aside(paths[0])
        return True
    return False


def read_newest(paths: list[Path]) -> tuple[Path, dict[str, Any]]:
    """Read the first of these files that is whole; those before are put aside.

    Raises:
        UsageError: if none is, or if one can't be read for another reason than its content.
    """
    for number, path in enumerate(paths):
        try:
            return path, read_checkpoint(path)
        except DamagedCheckpoint as error:
            if number == len(paths) - 1:
                others = "" if len(paths) == 1 else ", and so are those before it"
                raise DamagedCheckpoint(f"{error} There is no other to go on from{others}.") from error
            log.warning("%s The run goes on from %s.", error, paths[number + 1].name)
            _put_aside(path)
    raise AssertionError


@rank_zero_only
def _put_aside(path: Path) -> None:
    """Or it would become `previous.ckpt` at the next save."""
    path.replace(path.with_name(f"{path.name}.damaged"))
