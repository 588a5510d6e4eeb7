"""Checkpoint files: written whole or not at all, and checked when they are read."""

import pickle
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from genlab.errors import UsageError
from genlab.files import flush
from genlab.foreign import check_plain
from genlab.hardware import exhausted, explain_memory
from genlab.run.older import bring_up_to_date


class DamagedCheckpoint(UsageError):
    """A file that was a checkpoint once."""


def write_checkpoint(checkpoint: dict[str, Any], path: Path) -> None:
    """Write a file that is on the disk when this returns; under a temporary name, from which it has to be renamed.

    PyTorch's file is a zip archive, which has a checksum for each of its parts.
    """
    buffer = BytesIO()
    torch.save(checkpoint, buffer)
    path.write_bytes(buffer.getbuffer())
    flush(path)


def link(path: Path, second: Path) -> None:
    """Give a file a second name while it keeps the first: a kill finds it at any moment."""
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
    return ", ".join({name.partition(".")[0]: None for name, value in weights if not _is_finite(value)})


def _is_finite(value: Any) -> bool:
    return not isinstance(value, torch.Tensor) or bool(value.isfinite().all())


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint of this project, tensors and plain containers only; one of an earlier version is understood.

    Raises:
        DamagedCheckpoint: if the file is cut off, a byte of it has changed, or what it holds is not what a run writes:
            its content alone can say so. (`torch.load` does not look at the checksums.)
        UsageError: if the disk does not give it, or the memory has no room for it, so that nothing is known of it; or
            if it is no checkpoint of this project.
    """
    with explain_no_room(path), explain_damage(path):
        checkpoint = _loaded(path, _content(path))
        if not isinstance(checkpoint, dict) or not {"config", "state_dict"} <= checkpoint.keys():
            raise UsageError(f"{path} is no checkpoint of this project: it holds no configuration.")
        config = checkpoint["config"]
        check_plain(config)
        parts = [config.get(name) for name in ("model", "data")] if isinstance(config, dict) else [None]
        if not all(isinstance(part, dict) for part in (*parts, checkpoint["state_dict"])):
            raise ValueError("it lacks a model, data or weights")
        return checkpoint | {"config": bring_up_to_date(config)}


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"{path} can't be read ({reason}): type the command again once the disk gives it.") from error


def check_parts(config: dict[str, Any], *names: str) -> None:
    """Raise a ValueError unless parts of a configuration name classes."""
    for name in names:
        node = config.get(name)
        if not isinstance(node, dict) or not isinstance(node.get("_target_"), str):
            raise ValueError(f"{name} names no class")


@contextmanager
def explain_damage(path: Path) -> Iterator[None]:
    """Say in one sentence what is wrong with what a checkpoint holds, whatever comes of it within this.

    Raises:
        DamagedCheckpoint: in place of all errors but a UsageError and a lack of memory, which say nothing of it.
    """
    try:
        yield
    except UsageError:
        raise
    except Exception as error:
        if exhausted(error):
            raise
        text = " ".join(str(error).split())[:300]
        said = text if isinstance(error, ValueError) else f"{type(error).__name__}: {text}"
        raise DamagedCheckpoint(f"{path} can't be read as a checkpoint, it may be damaged ({said}).") from error


def explain_no_room(path: Path) -> AbstractContextManager[None]:
    """Say in one sentence that there is no memory for a checkpoint; raises `OutOfMemory`."""
    return explain_memory(lambda _: f" for {path}: type the command again once there is some.")


def _loaded(path: Path, content: bytes) -> Any:
    """What a file holds; raises a ValueError if a part of the archive differs from its checksum, among others.

    PyTorch stores the parts as they are, one after the other: an archive that would unpack to more is none of its.
    """
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
