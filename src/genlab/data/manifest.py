"""What is known of a prepared data set, and said of it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from genlab.data.decode import UNLABELLED, Decoded
from genlab.data.view import FORMATS
from genlab.errors import UsageError, listed

log = logging.getLogger(__name__)

LISTED = 20  # rejected files or classes that are named on the terminal
DARK = 16  # of 255: what 4095, the white of 12 bits, becomes where 65535 is white


@dataclass
class Summary:
    """What is known of a split. The sums are over the levels of all images, by channel."""

    fingerprint: str = ""
    labels: list[Any] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)
    n_grey: int = 0
    n_dark: int = 0
    n_pixels: int = 0
    total: Any = 0
    squares: Any = 0

    def add(self, chunk: Sequence[Decoded], images: np.ndarray) -> None:
        """Count images (B, C, H, W) in, and those of the chunk that were rejected."""
        self.rejected |= {image.name: image.reason for image in chunk if image.pixels is None}
        self.labels += [image.label for image in chunk if image.pixels is not None]
        self.n_grey += sum(image.is_grey for image in chunk)
        self.n_dark += int((images.max((1, 2, 3)) <= DARK).sum())
        self.n_pixels += images[:, 0].size
        squares = np.multiply(images, images, dtype=np.uint16)  # 255 squared is below 2^16
        self.total += images.sum((0, 2, 3), dtype=np.int64)
        self.squares += squares.sum((0, 2, 3), dtype=np.int64)

    def moments(self) -> dict[str, list[float]]:
        """Mean and standard deviation of the levels of each channel, from 0 to 255."""
        mean = self.total / max(self.n_pixels, 1)
        std = np.sqrt(self.squares / max(self.n_pixels, 1) - mean**2)
        return {"mean": mean.round(3).tolist(), "std": std.round(3).tolist()}


def describe(parts: Mapping[str, Summary], label_names: Sequence[str]) -> dict[str, Any]:
    """Return what is known of all splits, as plain JSON values."""
    labels = np.array([label for part in parts.values() for label in part.labels], np.int64)
    labels = labels.reshape(len(labels), -1) if len(labels) else labels[:, None]
    return {
        "counts": {name: len(part.labels) for name, part in parts.items()},
        "fingerprints": {name: part.fingerprint for name, part in parts.items()},
        "grey": sum(part.n_grey for part in parts.values()),
        "dark": sum(part.n_dark for part in parts.values()),
        **parts["train"].moments(),
        "labels_an_image": labels.shape[1],
        "classes": len(np.unique(labels[labels != UNLABELLED])),
        "unlabelled": int((labels == UNLABELLED).all(1).sum()),
        "label_names": list(label_names),
        "rejected": {file: reason for part in parts.values() for file, reason in part.rejected.items()},
    }


def say_what_is_in(name: str, manifest: Mapping[str, Any], channels: int) -> None:
    """Log the classes, what was left out, and what looks otherwise than its files."""
    log.info("%s: %s", name, classes(manifest))
    if manifest.get("split_folders"):
        log.info("%s: its splits are the folders %s.", name, listed(list(manifest["split_folders"].values())))
    if left_out := left_out_files(manifest.get("left_out", {})):
        log.warning("%s: %s", name, left_out)
    n, n_grey = sum(manifest["counts"].values()), manifest["grey"]
    if manifest["made_from"]["view"]["white_level"] is None and 2 * manifest["dark"] > n:
        log.warning(
            "%s: %d of %d images are nearly black: if they are of 12 bits in files of 16, type data.white_level=4095.",
            *(name, manifest["dark"], n),
        )
    if channels == 3 and n_grey == n:
        log.info("%s is grey: its one channel is repeated for data.channels=3.", name)


def classes(manifest: Mapping[str, Any]) -> str:
    """Say in a few words which classes there are."""
    names, parts, n = manifest["label_names"], manifest.get("parts"), manifest["unlabelled"]
    if n == sum(manifest["counts"].values()):
        return "no classes" + (f" (the folders {parts[0]} to {parts[-1]} are numbered parts)" if parts else "")
    if manifest["labels_an_image"] > 1:
        found = f"{manifest['labels_an_image']} labels an image"
    else:
        n_classes = max(len(names), manifest["classes"])
        found = f"{n_classes:,} {'class' if n_classes == 1 else 'classes'}"
    return found + (f": {listed(names, LISTED)}" if names else "") + (f"; {n:,} images have none" if n else "")


def left_out_files(left_out: Mapping[str, int]) -> str:
    """Say how many files are no images by their names, and of which kinds."""
    if not left_out:
        return ""
    n, kinds = sum(left_out.values()), listed([f"{n:,} {kind}" for kind, n in left_out.items()])
    return f"{n:,} {'file is' if n == 1 else 'files are'} left out: {kinds}. {listed(FORMATS)} are read."


def check_rejects(name: str, manifest: Mapping[str, Any], max_rejects: float) -> str:
    """Return a sentence about the files that can't be read, empty without any; raise a UsageError for too many."""
    rejected = [f"{file} ({reason})" for file, reason in manifest["rejected"].items()]
    if not rejected:
        return ""
    log.debug("Files of %s that can't be read: %s", name, "; ".join(rejected))
    some = listed(rejected, LISTED) + (", listed in the log" if len(rejected) > LISTED else "")
    n = len(rejected) + sum(manifest["counts"].values())
    sentence = f"{len(rejected)} of the {n} files of {name} can't be read"
    if len(rejected) > max_rejects * n or 0 in manifest["counts"].values():
        raise UsageError(
            f"{sentence}, and data.max_rejects={max_rejects} allows {max_rejects:.0%}: mend or remove them, or allow "
            f"more. They are: {some}."
        )
    return f"{sentence}: {some}."
