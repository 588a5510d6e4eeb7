"""The decoded images of a data set on disk.

A cache is a folder named by a fingerprint of all that shaped it: `train.npy`, `val.npy`, `test.npy` (uint8 images),
`train_labels.npy` and so on, and `manifest.json`, which has their sums. It is made under a temporary name and renamed
when it is whole.
"""

import errno
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genlab.data.arrays import ImageWriter, MappedImages, write_array
from genlab.data.decode import RawImages, decode
from genlab.data.manifest import Summary, check_rejects, describe
from genlab.data.sums import check_sums, sums
from genlab.data.view import View
from genlab.errors import UsageError
from genlab.files import flush, write_text
from genlab.locks import lock_file
from genlab.names import LONGEST, shorten
from genlab.protocols import Split
from genlab.redaction import redact, redact_all

log = logging.getLogger(__name__)

GONE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
Manifest = dict[str, Any]  # plain JSON values
Raw = Callable[[], Mapping[str, RawImages]]


class Cache:
    """The images of one data set as one view shows them.

    Args:
        folder: where all caches are.
        name: of the data set, the readable half of the cache's own folder.
        root: where its files are; a cache is found by that once they are gone.
        made_from: returns everything that shapes the images, as plain JSON values. The other half is its fingerprint.
        notes: returns what else the manifest is to say of the files.
        view: how the images are shown.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        root: Path,
        made_from: Callable[[], Manifest],
        notes: Callable[[], Manifest],
        view: View,
    ) -> None:
        self.folder, self.name, self.root = folder, redact(name), redact(str(root.absolute()))
        self._made_from, self._notes, self.view = made_from, notes, view

    def open(self, raw: Raw, max_rejects: float, n_workers: int | None) -> tuple[Manifest, dict[str, Split]]:
        """Return the manifest and the memory-mapped splits; build them first if they are not there.

        Of several processes that come together one builds, and the others wait for it.

        Args:
            raw: returns the undecoded images of each split; called only if they are needed.
            max_rejects: share of the files that may be unreadable.
            n_workers: processes that decode; None for as many as there are cores.

        Raises:
            UsageError: if the disk is full or not writable, or if too many files are unreadable.
        """
        manifest, splits = self._find() or self._find_newest() or self._make(raw, max_rejects, n_workers)
        check_rejects(self.name, manifest, max_rejects)  # it may have been built under another limit
        return manifest | {"folder": str(self.path)}, splits

    def _find(self) -> tuple[Manifest, dict[str, Split]] | None:
        """Read the cache of the files as they are now."""
        self.made_from = redact_all(self._made_from())
        fingerprint = hashlib.sha256(json.dumps(self.made_from, sort_keys=True).encode()).hexdigest()[:16]
        room = LONGEST - len(f"-{fingerprint}.lock")
        self.path = self.folder / f"{shorten(self.name, room)}-{fingerprint}"
        return self._read()

    def _find_newest(self) -> tuple[Manifest, dict[str, Split]] | None:
        """Read the newest cache of files that were at the same place, if they are gone now."""
        if self.made_from["files"] > 0:
            return None
        for file in sorted(self.folder.glob("*/manifest.json"), key=lambda file: file.stat().st_mtime, reverse=True):
            try:
                manifest = json.loads(file.read_text(encoding="utf-8"))
                is_other = manifest["root"] != self.root or not _same(manifest["made_from"], self.made_from)
            except (OSError, ValueError, KeyError, TypeError):
                continue
            if is_other:
                continue
            self.made_from, self.path = manifest["made_from"], file.parent
            if found := self._read():
                log.info("The files of %s are gone: the images are taken that were prepared of them.", self.name)
                return found
        return None

    def _read(self) -> tuple[Manifest, dict[str, Split]] | None:
        """Return a whole cache; None, with the reason in the log if there is one, otherwise."""
        if not self.path.is_dir():
            return None
        try:
            manifest = json.loads((self.path / "manifest.json").read_text(encoding="utf-8"))
            if manifest["made_from"] != self.made_from:
                raise ValueError("its manifest describes other images")
            check_sums(self.path, manifest.get("sums", {}))  # an earlier version kept none
            return manifest, self._splits(manifest)
        except (*GONE, EOFError, ValueError, KeyError, TypeError) as error:
            log.warning("%s is damaged (%s): it is built again.", self.path, error)
            return None

    def _splits(self, manifest: Manifest) -> dict[str, Split]:
        splits = {}
        for name, fingerprint in manifest["fingerprints"].items():
            labels = torch.from_numpy(np.load(self.path / f"{name}_labels.npy"))
            splits[name] = Split(MappedImages(self.path / f"{name}.npy", fingerprint), labels)
        return splits

    def _make(self, raw: Raw, max_rejects: float, n_workers: int | None) -> tuple[Manifest, dict[str, Split]]:
        undecoded: Mapping[str, RawImages] = {}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._lock():
                if found := self._find():  # another process has made it
                    return found
                undecoded = raw()
                return self._find() or self._build(undecoded, max_rejects, n_workers)  # what was missing is there now
        except OSError as error:
            raise UsageError(self._disk_error(error, undecoded)) from error

    def _lock(self) -> AbstractContextManager[None]:
        # Whichever view of it: it may have to be downloaded first.
        file = self.folder / f"{shorten(self.name, LONGEST - len('.lock'))}.lock"
        who = f"Another process is decoding {self.name}: "
        return lock_file(file, f"{who}type the command again once it has ended.", waiting=f"{who}waiting for it.")

    def _build(
        self, raw: Mapping[str, RawImages], max_rejects: float, n_workers: int | None
    ) -> tuple[Manifest, dict[str, Split]]:
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
        return manifest, self._splits(manifest)

    def _write(self, folder: Path, name: str, raw: RawImages, n_workers: int | None) -> Summary:
        """Decode a split into a folder."""
        summary, image_shape = Summary(), (self.view.channels, self.view.size, self.view.size)
        chunks = decode(raw, self.view, n_workers, f"{self.name} {name}")
        with ImageWriter(folder / f"{name}.npy", image_shape) as writer, closing(chunks):
            for chunk in chunks:
                images = np.array([image.pixels for image in chunk if image.pixels is not None], np.uint8)
                images = images.reshape(-1, *image_shape)
                writer.append(images)
                summary.add(chunk, images)
        summary.fingerprint = writer.digest.hexdigest()[:16]
        write_array(folder / f"{name}_labels.npy", np.asarray(summary.labels, dtype=np.int64))
        return summary

    def _n_bytes(self, raw: Mapping[str, RawImages]) -> int:
        return sum(map(len, raw.values())) * self.view.channels * self.view.size**2

    def _disk_error(self, error: OSError, raw: Mapping[str, RawImages]) -> str:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return f"{self.folder} can't be written ({error.strerror}): choose another folder with paths.data_dir=PATH."
        needed, free = self._n_bytes(raw) / 1e6, shutil.disk_usage(self.folder).free / 1e6
        return (
            f"The decoded images of {self.name} need {needed:,.0f} MB in {self.folder}, where {free:,.0f} MB are free: "
            "choose another disk with paths.data_dir=PATH, a smaller data.size, or data.limit=N."
        )


def _same(first: Manifest, second: Manifest) -> bool:
    """Whether two caches are made from the same, as far as that can be told when the files are gone."""
    of_files = dict.fromkeys(("files", "sha256", "pillow"))
    return first | of_files == second | of_files
