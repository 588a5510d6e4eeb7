"""What all data sets share whose images are decoded once and kept."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from genlab.bounds import NonNegativeInt, PositiveInt, Share
from genlab.data.cache import Cache
from genlab.data.decode import RawImages
from genlab.data.manifest import say_what_is_in
from genlab.data.view import Crop, Filter, Fit, View
from genlab.errors import UsageError
from genlab.protocols import Source, Split


class PreparedSource(Source, ABC):
    """A source whose images are decoded, cropped and resized on first use, and memory-mapped afterwards.

    A data set is a subclass that says where its images are (`raw`), which files they are read from (`versions`), and
    what is taken of them (`identity`). Once prepared, its files may be gone; as long as they are there, they are looked
    at, and others make another cache.

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
        self.more_options: dict[str, Any] = {
            "white_level": white_level,
            "max_pixels": max_pixels,
        }  # in no score's protocol
        self.max_rejects = max_rejects
        self.decode_workers = decode_workers

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """Return plain JSON values: what, besides the files, decides which images there are in which split."""

    @abstractmethod
    def versions(self) -> list[str]:
        """Return a text for each file, with its size and time of change; nothing if they are gone, or on a hub."""

    @abstractmethod
    def raw(self) -> Mapping[str, RawImages]:
        """Return the undecoded images of the splits `train`, `val` and `test`, downloading what is missing."""

    def notes(self) -> dict[str, Any]:
        """Return plain JSON values that the manifest is to say of the files, where they are there."""
        return {}

    def __call__(self, size: int, channels: int, limit: int | None = None) -> dict[str, Split]:
        """Return the splits as uint8 images (N, channels, size, size) with labels, decoding them on first use."""
        view = View(size, channels, **self.view_options, **self.more_options)

        def made_from() -> dict[str, Any]:
            files = self.versions()
            return {
                "source": type(self).__name__,
                **self.identity(),
                "files": len(files),
                "sha256": sha256("\n".join(files).encode("utf-8", "surrogateescape")).hexdigest(),
                "view": asdict(view),
                "limit": limit,
                "pillow": version("pillow"),
            }

        cache = Cache(self.cache_dir, self.name, self.root, made_from, self.notes, view)
        self.manifest, splits = cache.open(
            lambda: {name: images.limited(limit) for name, images in self._filled().items()},
            self.max_rejects,
            self.decode_workers,
        )
        say_what_is_in(self.name, self.manifest, channels)
        return splits

    def _filled(self) -> Mapping[str, RawImages]:
        raw = self.raw()
        if empty := [name for name, images in raw.items() if len(images) == 0]:
            raise UsageError(
                f"{self.name} has no images for {' and '.join(empty)}: it takes 3 images at least, and shares above 0 "
                "for splits that do not exist (data.val_share, data.test_share)."
            )
        return raw


def held_out(n: int, val_share: float) -> tuple[np.ndarray, np.ndarray]:
    """Divide the n images of an official training split into rows that train and rows that validate, always alike."""
    n_val = round(val_share * n)
    order = np.random.default_rng(0).permutation(n)
    return np.sort(order[n_val:]), np.sort(order[:n_val])
