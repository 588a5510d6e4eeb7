"""The decoded images of a data set on disk.

A cache is a folder named by a fingerprint of all that shaped it: `train.npy`, `val.npy`, `test.npy` (uint8 images),
`train_labels.npy` and so on, and `manifest.json`. It is made under a temporary name and renamed when it is whole.
"""

import errno
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout

from genlab.data.arrays import ImageWriter, MappedImages
from genlab.data.decode import Decoded, RawImages, decode
from genlab.data.view import View
from genlab.errors import UsageError
from genlab.protocols import Split
from genlab.secrets import redacted, redacted_all

log = logging.getLogger(__name__)

LISTED = 20  # rejected files that are named on the terminal


class Cache:
    """The images of one data set as one view shows them.

    Args:
        folder: where all caches are.
        name: of the data set, the readable half of the cache's own folder.
        made_from: everything that shapes the images, as plain JSON values. The other half is its fingerprint.
        view: how the images are shown.
    """

    def __init__(self, folder: Path, name: str, made_from: dict[str, Any], view: View) -> None:
        self.folder, self.name, self.made_from, self.view = folder, redacted(name), redacted_all(made_from), view
        self.fingerprint = hashlib.sha256(json.dumps(self.made_from, sort_keys=True).encode()).hexdigest()[:16]
        self.path = folder / f"{self.name}-{self.fingerprint}"
        self._is_damaged = False

    def open(
        self, raw: Callable[[], Mapping[str, RawImages]], max_rejects: float, n_workers: int | None
    ) -> tuple[dict[str, Any], dict[str, Split]]:
        """Return the manifest and the memory-mapped splits; build them first if they are not there.

        Of several processes that come together one builds, and the others wait for it.

        Args:
            raw: returns the undecoded images of each split; called only if they are needed.
            max_rejects: share of the files that may be unreadable.
            n_workers: processes that decode; None for as many as there are cores.

        Raises:
            UsageError: if the disk is full or not writable, if too many files are unreadable, or if a damaged cache
                can't be built again.
        """
        manifest = self._read()
        if manifest is None:
            undecoded: Mapping[str, RawImages] = {}
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                with self._lock():
                    if (manifest := self._read()) is None:
                        undecoded = raw()
                        manifest = self._build(undecoded, max_rejects, n_workers)
            except (OSError, UsageError) as error:
                wrong = error if isinstance(error, UsageError) else self._disk_error(error, undecoded)
                if self._is_damaged:
                    raise UsageError(
                        f"{self.path} is damaged: delete that folder. As it is, it can't be built again: {wrong}"
                    ) from error
                raise wrong from error
        check_rejects(self.name, manifest, max_rejects)  # it may have been built under another limit
        return manifest | {"folder": str(self.path)}, {name: self._split(name) for name in manifest["counts"]}

    def _read(self) -> dict[str, Any] | None:
        """Return the manifest of a whole cache; None, with the reason in the log if there is one, otherwise."""
        if not self.path.is_dir():
            return None
        try:
            manifest: dict[str, Any] = json.loads((self.path / "manifest.json").read_text())
            if manifest["made_from"] != self.made_from:
                raise ValueError("its manifest describes other images")
            for name, n in manifest["counts"].items():
                images, labels = self._split(name)
                if images.shape != (n, self.view.channels, self.view.size, self.view.size) or len(labels) != n:
                    raise ValueError(f"{name}.npy does not hold what the manifest says")
        except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s is damaged (%s): it is built again.", self.path, error)
            self._is_damaged = True
            return None
        return manifest

    def _split(self, name: str) -> Split:
        labels = np.load(self.path / f"{name}_labels.npy")
        return Split(MappedImages(self.path / f"{name}.npy", f"{self.fingerprint}-{name}"), torch.from_numpy(labels))

    def _lock(self) -> Any:
        lock = FileLock(self.folder / f"{self.path.name}.lock")
        try:
            return lock.acquire(timeout=0)
        except Timeout:
            log.info("Another process is decoding %s: waiting for it.", self.name)
            return lock.acquire()

    def _build(self, raw: Mapping[str, RawImages], max_rejects: float, n_workers: int | None) -> dict[str, Any]:
        temporary = self.folder / f"{self.path.name}.tmp"
        shutil.rmtree(temporary, ignore_errors=True)  # left by a process that was killed
        if shutil.disk_usage(self.folder).free < self._n_bytes(raw):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        log.info("Decoding %s once, into %s", self.name, self.path)
        try:
            temporary.mkdir()
            parts = {name: self._write(temporary, name, images, n_workers) for name, images in raw.items()}
            manifest = _manifest(parts, raw["train"].label_names) | {"made_from": self.made_from}
            if rejected := check_rejects(self.name, manifest, max_rejects):
                log.warning("Left out: %s", rejected)
            (temporary / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
            shutil.rmtree(self.path, ignore_errors=True)  # a damaged one
            temporary.rename(self.path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return manifest

    def _write(self, folder: Path, name: str, raw: RawImages, n_workers: int | None) -> Decoded:
        with ImageWriter(folder / f"{name}.npy", (self.view.channels, self.view.size, self.view.size)) as writer:
            decoded = decode(raw, self.view, writer.append, n_workers, f"{self.name} {name}")
        np.save(folder / f"{name}_labels.npy", np.asarray(decoded.labels, dtype=np.int64))
        return decoded

    def _n_bytes(self, raw: Mapping[str, RawImages]) -> int:
        return sum(map(len, raw.values())) * self.view.channels * self.view.size**2

    def _disk_error(self, error: OSError, raw: Mapping[str, RawImages]) -> UsageError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(self.folder).free
            return UsageError(
                f"The decoded images of {self.name} need {self._n_bytes(raw) / 1e6:,.0f} MB in {self.folder}, where "
                f"{free / 1e6:,.0f} MB are free: choose another disk with paths.data_dir=PATH, a smaller data.size, or "
                "data.limit=N."
            )
        return UsageError(
            f"{self.folder} can't be written ({error.strerror}): choose another folder with paths.data_dir=PATH."
        )


def check_rejects(name: str, manifest: Mapping[str, Any], max_rejects: float) -> str:
    """Return a sentence about the files that can't be read, empty without any; raise a UsageError for too many."""
    rejected: dict[str, str] = manifest["rejected"]
    if not rejected:
        return ""
    for file, reason in rejected.items():
        log.debug("Rejected: %s (%s)", file, reason)
    some = "; ".join(f"{file} ({reason})" for file, reason in list(rejected.items())[:LISTED])
    if len(rejected) > LISTED:
        some += f"; and {len(rejected) - LISTED} more, listed in the log"
    n = len(rejected) + sum(manifest["counts"].values())
    sentence = f"{len(rejected)} of the {n} files of {name} can't be read"
    if len(rejected) > max_rejects * n or 0 in manifest["counts"].values():
        raise UsageError(
            f"{sentence}, and data.max_rejects={max_rejects} allows {max_rejects:.0%}: mend or remove them, or allow "
            f"more. They are: {some}."
        )
    return f"{sentence}: {some}."


def _manifest(parts: Mapping[str, Decoded], label_names: Sequence[str]) -> dict[str, Any]:
    return {
        "counts": {name: len(part.labels) for name, part in parts.items()},
        "grey": sum(part.n_grey for part in parts.values()),
        **parts["train"].moments(),
        "label_names": list(label_names),
        "rejected": {file: reason for part in parts.values() for file, reason in part.rejected.items()},
    }
