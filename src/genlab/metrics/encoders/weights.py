"""Published weight files: checked by their sha256, and downloaded once."""

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import torch

from genlab.errors import UsageError, one_line
from genlab.locks import lock_file

log = logging.getLogger(__name__)

WAY_OUT = "score with features=efficientnet_lite0, which needs no download"


def published_weights(encoder: str, url: str, filename: str, sha256: str, given: str | None = None) -> Path:
    """Return the path of a weight file whose sha256 is right; nothing of it is unpickled before.

    Args:
        encoder: option of `features` that needs the file.
        url: where the file is published.
        filename: its name in `download_folder`, to which it is downloaded if it is missing.
        sha256: sum of the published file, in hexadecimal digits.
        given: a file to take instead, of the same sum.

    Raises:
        UsageError: if the file is missing and can't be downloaded, or if it is not the published one.
    """
    path = Path(given).expanduser() if given else download_folder() / filename
    if not path.is_file():
        if given:
            raise UsageError(
                f"There is no file {path}, which features.weights names: it must be {filename} from {url}, or null, "
                "which downloads it."
            )
        _fetch(encoder, url, path, sha256)
    if sha256_of(path) != sha256:
        remedy = "leave features.weights out" if given else "delete it"
        raise UsageError(
            f"{path} is not the published weight file of {encoder}, or only a part of it (expected sha256 {sha256}): "
            f"{remedy}, so that {url} is downloaded, or {WAY_OUT}."
        )
    return path


def download_folder() -> Path:
    """$TORCH_HOME/hub/checkpoints, where torch.hub and torchvision keep weights."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(encoder: str, url: str, path: Path, sha256: str) -> None:
    """Download in one process; those that ask at the same time wait for it.

    By a lock file, as encoders are built before the processes of a run form a group, and nodes have disks of their own.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with lock_file(path.with_name(f"{path.name}.lock"), waiting=f"Another process downloads {path.name}: waiting."):
            if not path.is_file():
                log.info("Downloading the weights of %s once; kept in %s", encoder, path)
                torch.hub.download_url_to_file(url, str(path), hash_prefix=sha256)
    except Exception as error:  # each layer of a download raises errors of its own
        reason = one_line(error)[:200]
        raise UsageError(
            f"The weights of {encoder} could not be downloaded ({reason}): put {path.name} from {url} (sha256 "
            f"{sha256}) into {path.parent}, or type where the file is with features.weights=PATH, or {WAY_OUT}."
        ) from error


@contextmanager
def tensors_only() -> Iterator[None]:
    """Make `torch.load` refuse anything but tensors and plain containers, also in libraries."""
    with mock.patch.dict(os.environ, TORCH_FORCE_WEIGHTS_ONLY_LOAD="1"):
        os.environ.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)  # its opposite; torch refuses both at once
        yield
