"""What all data sets share whose images are decoded once and kept."""

import errno
import hashlib
import json
import logging
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from genlab.bounds import NonNegativeInt, PositiveInt, Share
from genlab.data.cache import Cached, Manifest, read_cache, write_cache
from genlab.data.decode import RawImages
from genlab.data.manifest import check_rejects, say_what_is_in
from genlab.data.view import Crop, Filter, Fit, View
from genlab.errors import UsageError
from genlab.locks import lock_file
from genlab.names import LONGEST, shorten
from genlab.protocols import Source, Split
from genlab.redaction import redact, redact_all

log = logging.getLogger(__name__)


class PreparedSource(Source, ABC):
    """A source whose images are decoded, cropped and resized on first use, and memory-mapped afterwards.

    A data set is a subclass that says where its images are (`raw`), which files they are read from (`versions`), and
    what is taken of them (`identity`). Once prepared, its files may be gone; if they change, they are prepared again.

    Args:
        cache_dir: where the decoded images are kept.
        crop, fit, filter, background, white_level, max_pixels: how an image is shown, see `View`.
        max_rejects: share of the files that may be unreadable; they are left out and listed in the manifest.
        decode_workers: processes that decode; None for as many as there are cores.
    """

    name: str  # of the data set, readable, for its folder and for messages
    root: Path  # where its files are
    manifest: dict[str, Any]  # of the newest call

    def __init__(
        self,
        cache_dir: str,
        crop: Crop = "none",
        fit: Fit = "cover",
        filter: Filter = "bilinear",
        background: str = "white",
        white_level: PositiveInt | None = None,
        max_pixels: PositiveInt | None = None,
        max_rejects: Share = 0.01,
        decode_workers: NonNegativeInt | None = None,
    ) -> None:
        self.cache_dir = Path(cache_dir)
        self.view_options: dict[str, Any] = {"crop": crop, "fit": fit, "filter": filter, "background": background}
        self.limits: dict[str, Any] = {"white_level": white_level, "max_pixels": max_pixels}  # in no score's protocol
        self.max_rejects = max_rejects
        self.decode_workers = decode_workers

    @property
    def label_names(self) -> list[str]:
        """Of the classes that a label counts, or of the entries of a label vector; none before the first call."""
        return getattr(self, "manifest", {}).get("label_names", [])

    @abstractmethod
    def identity(self) -> Manifest:
        """Return plain JSON values: what, besides the files, decides which images there are in which split."""

    @abstractmethod
    def raw(self) -> Mapping[str, RawImages]:
        """Return the undecoded images of the splits `train`, `val` and `test`, downloading what is missing."""

    def versions(self) -> list[str]:
        """Return a text for each file, with its size and time of change; nothing if they are gone, or never change."""
        return []

    def notes(self) -> Manifest:
        """Return plain JSON values that the manifest is to say of the files."""
        return {}

    def __call__(self, size: int, channels: int, limit: int | None = None) -> dict[str, Split]:
        """Return the splits as uint8 images (N, channels, size, size) with labels, decoding them on first use.

        Of several processes that come together one decodes, and the others wait for it.

        Raises:
            UsageError: if there are no images, the disk is full or not writable, or too many files are unreadable.
        """
        view = View(size, channels, **self.view_options, **self.limits)
        found = self._find_cache(view, limit) or self._find_newest_cache(view, limit) or self._make_cache(view, limit)
        self.manifest, splits = found
        check_rejects(self.name, self.manifest, self.max_rejects)  # it may have been built under another limit
        say_what_is_in(self.name, self.manifest, channels)
        return splits

    def _made_from(self, view: View, limit: int | None) -> Manifest:
        """Everything that shapes the images."""
        files = self.versions()
        made_from = {
            "source": type(self).__name__,
            **self.identity(),
            "files": len(files),
            "sha256": hashlib.sha256("\n".join(files).encode("utf-8", "surrogateescape")).hexdigest(),
            "view": asdict(view),
            "limit": limit,
            "pillow": version("pillow"),
        }
        return redact_all(made_from)

    def _folder(self, made_from: Manifest) -> Path:
        fingerprint = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:16]
        room = LONGEST - len(f"-{fingerprint}.lock")
        return self.cache_dir / f"{shorten(redact(self.name), room)}-{fingerprint}"

    def _find_cache(self, view: View, limit: int | None) -> Cached | None:
        """Read the cache of the files as they are now."""
        made_from = self._made_from(view, limit)
        return read_cache(self._folder(made_from), made_from)

    def _find_newest_cache(self, view: View, limit: int | None) -> Cached | None:
        """Read the newest cache of files that were at the same place, if they are gone now."""
        wanted, of_files = self._made_from(view, limit), dict.fromkeys(("files", "sha256", "pillow"))
        if wanted["files"] > 0:
            return None
        files = self.cache_dir.glob("*/manifest.json")
        for file in sorted(files, key=lambda file: file.stat().st_mtime, reverse=True):
            try:
                manifest = json.loads(file.read_text(encoding="utf-8"))
                is_same = manifest["root"] == self._root() and manifest["made_from"] | of_files == wanted | of_files
            except (OSError, ValueError, KeyError, TypeError):
                continue
            if is_same and (found := read_cache(file.parent, manifest["made_from"])):
                log.info("%s is taken as it was prepared earlier, without its files.", self.name)
                return found
        return None

    def _make_cache(self, view: View, limit: int | None) -> Cached:
        """Decode the images, unless another process does so."""
        name = redact(self.name)
        lock = self.cache_dir / f"{shorten(name, LONGEST - len('.lock'))}.lock"  # for all views: it may be downloaded
        who, n_bytes = f"Another process is decoding {name}: ", 0
        try:
            self.cache_dir.mkdir(parents=True, exist_ok=True)
            with lock_file(lock, f"{who}type the command again once it has ended.", waiting=f"{who}waiting for it."):
                if found := self._find_cache(view, limit):
                    return found
                raw = {split: images.limited(limit) for split, images in self.raw().items()}
                if empty := [split for split, images in raw.items() if len(images) == 0]:
                    raise UsageError(
                        f"{name} has no images for {' and '.join(empty)}: it takes 3 images at least, and shares above "
                        "0 for splits that do not exist (data.val_share, data.test_share)."
                    )
                n_bytes = sum(map(len, raw.values())) * view.channels * view.size**2
                if found := self._find_cache(view, limit):  # what was missing has been downloaded
                    return found
                if shutil.disk_usage(self.cache_dir).free < n_bytes:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                made_from = self._made_from(view, limit)
                notes = self.notes() | {"root": self._root(), "made_from": made_from}
                folder = self._folder(made_from)
                return write_cache(folder, name, raw, view, notes, self.max_rejects, self.decode_workers)
        except OSError as error:
            raise UsageError(
                f"{self.cache_dir} can't be written ({error.strerror}), where {name} needs {n_bytes / 1e6:,.1f} MB: "
                "choose another disk with paths.data_dir=PATH, a smaller data.size, or data.limit=N."
            ) from error

    def _root(self) -> str:
        return redact(str(self.root.absolute()))


def held_out(n: int, val_share: float) -> tuple[np.ndarray, np.ndarray]:
    """Divide the n images of an official training split into rows that train and rows that validate, always alike."""
    n_val = round(val_share * n)
    order = np.random.default_rng(0).permutation(n)
    return np.sort(order[n_val:]), np.sort(order[:n_val])
