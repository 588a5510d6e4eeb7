"""The decoded images of a data set on disk.

A cache is a folder named by a fingerprint of all that shaped it: `train.npy`, `val.npy`, `test.npy` (uint8 images),
`train_labels.npy` and so on, and `manifest.json`, which has their sums. It is made under a temporary name and renamed
when it is whole. One that an earlier version has made has no sums, and is taken as it is.
"""

import errno
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genlab.data.arrays import ImageWriter, MappedImages, write_array
from genlab.data.decode import Decoded, RawImages, decode
from genlab.data.manifest import check_rejects, describe, disk_error
from genlab.data.sums import check_sums, sums
from genlab.data.view import View
from genlab.errors import UsageError
from genlab.files import flush, reason, write_text
from genlab.locks import lock_file
from genlab.names import LONGEST, shorten
from genlab.protocols import Split
from genlab.redaction import redact, redact_all

log = logging.getLogger(__name__)

GONE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
Facts = Callable[[], dict[str, Any]]  # plain JSON values


class Cache:
    """The images of one data set as one view shows them.

    Args:
        folder: where all caches are.
        name: of the data set, the readable half of the cache's own folder.
        root: where its files are; a cache is found by that once they are gone.
        made_from: returns everything that shapes the images, as plain JSON values. The other half is its fingerprint.
        notes: returns what else the manifest is to say of the files, if they are there.
        view: how the images are shown.
    """

    def __init__(self, folder: Path, name: str, root: Path, made_from: Facts, notes: Facts, view: View) -> None:
        self.folder, self.name, self.root = folder, redact(name), redact(str(root.absolute()))
        self._made_from, self._notes, self.view, self._is_damaged = made_from, notes, view, False

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
        self._name_by(self._made_from())
        manifest = self._read() or self._left_behind() or self._made(raw, max_rejects, n_workers)
        check_rejects(self.name, manifest, max_rejects)  # it may have been built under another limit
        if self._files_are_there:
            manifest |= redact_all(self._notes())  # what was left out may be more by now
        splits = {name: self._split(name, fingerprint) for name, fingerprint in manifest["fingerprints"].items()}
        return manifest | {"folder": str(self.path)}, splits

    def _made(
        self, raw: Callable[[], Mapping[str, RawImages]], max_rejects: float, n_workers: int | None
    ) -> dict[str, Any]:
        undecoded: Mapping[str, RawImages] = {}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._lock():
                self._name_by(self._made_from())
                if manifest := self._read():
                    return manifest
                undecoded = self._undecoded(raw)
                self._name_by(self._made_from())  # once more: what was missing has been downloaded
                return self._read() or self._build(undecoded, max_rejects, n_workers)
        except (OSError, UsageError) as error:
            wrong = disk_error(error, self.name, self.folder, self._n_bytes(undecoded))
            if self._is_damaged:
                wrong = UsageError(f"{self.path} is damaged: delete that folder. It can't be built again: {wrong}")
            if wrong is error:
                raise
            raise wrong from error

    def _undecoded(self, raw: Callable[[], Mapping[str, RawImages]]) -> Mapping[str, RawImages]:
        try:
            return raw()
        except OSError as error:
            raise UsageError(f"{self.name} can't be read: {reason(error)}.") from error

    def _name_by(self, made_from: dict[str, Any]) -> None:
        self.made_from = redact_all(made_from)
        fingerprint = hashlib.sha256(json.dumps(self.made_from, sort_keys=True).encode()).hexdigest()[:16]
        room = LONGEST - len(f"-{fingerprint}.lock")
        self.path = self.folder / f"{shorten(self.name, room)}-{fingerprint}"
        self._files_are_there = made_from["files"] > 0

    def _left_behind(self) -> dict[str, Any] | None:
        """Read the newest cache of files that were at the same place, if they are gone now."""
        if self._files_are_there:
            return None
        for file in sorted(self.folder.glob("*/manifest.json"), key=lambda file: file.stat().st_mtime, reverse=True):
            try:
                manifest = json.loads(file.read_text(encoding="utf-8"))
                if manifest["root"] != self.root or not _same(manifest["made_from"], self.made_from):
                    continue
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue
            self.made_from, self.path = manifest["made_from"], file.parent
            if found := self._read():
                log.info("The files of %s are gone: the images are taken that were prepared of them.", self.name)
                return found
        return None

    def _read(self) -> dict[str, Any] | None:
        """Return the manifest of a whole cache; None, with the reason in the log if there is one, otherwise."""
        if not self.path.is_dir():
            return None
        try:
            manifest: dict[str, Any] = json.loads((self.path / "manifest.json").read_text(encoding="utf-8"))
            if manifest["made_from"] != self.made_from:
                raise ValueError("its manifest describes other images")
            for name, n in manifest["counts"].items():
                images, labels = self._split(name, manifest["fingerprints"][name])
                if images.shape != (n, self.view.channels, self.view.size, self.view.size) or len(labels) != n:
                    raise ValueError(f"{name}.npy does not hold what the manifest says")
            check_sums(self.path, manifest.get("sums", {}))
        except (*GONE, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s is damaged (%s): it is built again.", self.path, error)
            self._is_damaged = True
            return None
        except OSError as error:  # which says nothing of what is in it
            wrong = f"{self.path} can't be read ({reason(error)}): type the command again once the disk gives it."
            raise UsageError(wrong) from error
        return manifest

    def _split(self, name: str, fingerprint: str) -> Split:
        labels = np.load(self.path / f"{name}_labels.npy")
        return Split(MappedImages(self.path / f"{name}.npy", fingerprint), torch.from_numpy(labels))

    def _lock(self) -> AbstractContextManager[None]:
        # Whichever view of it: it may have to be downloaded first.
        file = self.folder / f"{shorten(self.name, LONGEST - len('.lock'))}.lock"
        who = f"Another process is decoding {self.name}: "
        return lock_file(file, f"{who}type the command again once it has ended.", waiting=f"{who}waiting for it.")

    def _build(self, raw: Mapping[str, RawImages], max_rejects: float, n_workers: int | None) -> dict[str, Any]:
        temporary = self.folder / f"{self.path.name}.tmp"
        shutil.rmtree(temporary, ignore_errors=True)  # left by a process that was killed
        if shutil.disk_usage(self.folder).free < self._n_bytes(raw):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        log.info("Decoding %s once, into %s", self.name, self.path)
        try:
            temporary.mkdir()
            parts = {name: self._write(temporary, name, images, n_workers) for name, images in raw.items()}
            manifest = redact_all(describe(parts, raw["train"].label_names) | self._notes())
            manifest |= {"root": self.root, "made_from": self.made_from}
            manifest["sums"] = {file.name: sums(file) for file in sorted(temporary.glob("*.npy"))}
            if rejected := check_rejects(self.name, manifest, max_rejects):
                log.warning("Left out: %s", rejected)
            write_text(temporary / "manifest.json", json.dumps(manifest, indent=2) + "\n")
            shutil.rmtree(self.path, ignore_errors=True)  # a damaged one
            temporary.rename(self.path)
            flush(self.folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return manifest

    def _write(self, folder: Path, name: str, raw: RawImages, n_workers: int | None) -> Decoded:
        with ImageWriter(folder / f"{name}.npy", (self.view.channels, self.view.size, self.view.size)) as writer:
            decoded = decode(raw, self.view, writer.append, n_workers, f"{self.name} {name}")
        decoded.fingerprint = writer.digest.hexdigest()[:16]
        write_array(folder / f"{name}_labels.npy", np.asarray(decoded.labels, dtype=np.int64))
        return decoded

    def _n_bytes(self, raw: Mapping[str, RawImages]) -> int:
        return sum(map(len, raw.values())) * self.view.channels * self.view.size**2


def _same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether two caches are made from the same, as far as that can be told when the files are gone."""
    of_files = dict.fromkeys(("files", "sha256", "pillow"))
    return first | of_files == second | of_files
