"""Checkpoint files: written whole or not at all, checked when they are read, and which of them a run goes on from."""

import logging
import pickle
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatch
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_only

from genlab.errors import UsageError, one_line
from genlab.files import flush
from genlab.foreign import check_size
from genlab.hardware import exhausted, explain_memory
from genlab.run.older import bring_up_to_date

log = logging.getLogger(__name__)

CALLBACK = "genlab.callbacks.Checkpoint"


class DamagedCheckpoint(UsageError):
    """A file that was a checkpoint once."""


def write_checkpoint(checkpoint: dict[str, Any], path: Path) -> None:
    """Write a file that is on the disk when this returns; under a temporary name, from which it has to be renamed."""
    buffer = BytesIO()
    torch.save(checkpoint, buffer)  # a zip archive, which has a checksum for each of its parts
    path.write_bytes(buffer.getbuffer())
    flush(path)


def link(path: Path, second: Path) -> None:
    """Give a file a second name while it keeps the first, so that it is there at any moment."""
    unfinished = second.with_suffix(".tmp")
    unfinished.unlink(missing_ok=True)
    try:
        unfinished.hardlink_to(path)
    except OSError:  # a file system without links
        shutil.copyfile(path, unfinished)
    unfinished.replace(second)
    unfinished.unlink(missing_ok=True)  # renaming one link of a file to another does nothing


def spoiled(checkpoint: dict[str, Any]) -> str:
    """The networks whose weights or averaged weights hold an infinite value or NaN; an empty text for none."""
    weights = (*checkpoint["state_dict"].items(), *checkpoint.get("ema", {}).items())
    wrong = (name for name, value in weights if isinstance(value, torch.Tensor) and not value.isfinite().all())
    return ", ".join(dict.fromkeys(name.partition(".")[0] for name in wrong))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint of this project, tensors and plain containers only; one of an earlier version is understood.

    Raises:
        DamagedCheckpoint: if the file is cut off, a byte of it has changed, or what it holds is not what a run writes.
        UsageError: if it can't be read for another reason, such as the disk or a lack of memory, or if it is no
            checkpoint of this project.
    """
    with explain_damage(path):
        checkpoint = load_plain(path)
        if not isinstance(checkpoint, dict) or not {"config", "state_dict"} <= checkpoint.keys():
            raise UsageError(f"{path} is no checkpoint of this project: it holds no configuration.")
        config = checkpoint["config"]
        check_size(config)
        parts = [config.get(name) for name in ("model", "data")] if isinstance(config, dict) else [None]
        if not all(isinstance(part, dict) for part in (*parts, checkpoint["state_dict"])):
            raise ValueError("it lacks a model, data or weights")
        return checkpoint | {"config": bring_up_to_date(config)}


def load_plain(path: Path) -> Any:
    """Load tensors and plain containers, which `write_checkpoint` has written, and nothing else.

    `torch.load` does not look at the checksums, and would unpack any compressed archive; it stores parts as is.

    Raises:
        UsageError: if the file can't be read or holds anything else; other errors if it is damaged (`explain_damage`).
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"{path} can't be read ({reason}): type the command again once the disk gives it.") from error
    with zipfile.ZipFile(BytesIO(content)) as archive:
        parts = archive.infolist()
        if any(part.compress_type for part in parts) or sum(part.file_size for part in parts) > len(content):
            raise ValueError("it would unpack to more than it is")
        if part := archive.testzip():
            raise ValueError(f"the checksum of {part} is wrong")
    try:
        return torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UsageError(
            f"{path} is refused: it is no checkpoint, or it holds more than tensors and plain containers and could "
            "run code."
        ) from error


def check_parts(config: dict[str, Any], *names: str) -> None:
    """Raise a ValueError unless parts of a configuration name classes."""
    for name in names:
        node = config.get(name)
        if not isinstance(node, dict) or not isinstance(node.get("_target_"), str):
            raise ValueError(f"{name} names no class")


@contextmanager
def explain_damage(path: Path) -> Iterator[None]:
    """Say in one sentence why what a checkpoint holds can't be used within this.

    Raises:
        OutOfMemory: if memory runs out.
        DamagedCheckpoint: in place of all other errors that are not a UsageError already.
    """
    with explain_memory(lambda _: f" for {path}: type the command again once there is some."):
        try:
            yield
        except UsageError:
            raise
        except Exception as error:
            if exhausted(error):
                raise
            text = one_line(error)[:300]
            said = text if isinstance(error, ValueError) else f"{type(error).__name__}: {text}"
            raise DamagedCheckpoint(f"{path} can't be read as a checkpoint, it may be damaged ({said}).") from error


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
