"""Checkpoint files: written whole or not at all, and checked when they are read."""

import os
import pickle
import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from genlab.errors import UsageError


class DamagedCheckpoint(UsageError):
    """A file that was a checkpoint once."""


def write_checkpoint(checkpoint: dict[str, Any], path: Path) -> None:
    """Write a file that is on the disk when this returns; under a temporary name, from which it has to be renamed.

    PyTorch's file is a zip archive, which has a checksum for each of its parts.
    """
    buffer = BytesIO()
    torch.save(checkpoint, buffer)
    with path.open("wb") as file:
        file.write(buffer.getbuffer())
        file.flush()
        os.fsync(file.fileno())


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint of this project, tensors and plain containers only.

    Raises:
        DamagedCheckpoint: if the file is cut off, or a byte of it has changed. (`torch.load` does not look at the
            checksums.)
        UsageError: if it is no checkpoint of this project.
    """
    try:
        _check_sums(path)
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UsageError(
            f"{path} is refused: it is no checkpoint, or it holds more than tensors and plain containers and could "
            "run code."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise DamagedCheckpoint(f"{path} can't be read as a checkpoint, it may be damaged ({error}).") from error
    if not isinstance(checkpoint, dict) or not {"config", "state_dict"} <= checkpoint.keys():
        raise UsageError(f"{path} is no checkpoint of this project: it holds no configuration.")
    return checkpoint


def _check_sums(path: Path) -> None:
    """Raise a ValueError if a part of the archive differs from its checksum; what is no archive is let through."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            part = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, LookupError) as error:
        raise ValueError(error) from error
    if part is not None:
        raise ValueError(f"the checksum of {part} is wrong")
