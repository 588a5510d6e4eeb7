"""What is known of a prepared data set, and said of it."""

import errno
import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genlab.data.decode import UNLABELLED, Decoded
from genlab.data.view import FORMATS
from genlab.errors import UsageError, listed

log = logging.getLogger(__name__)

LISTED = 20  # rejected files that are named on the terminal
NAMED = 20  # classes
DARK = 4095  # the highest level of 12 bits, which is nearly black where 65535 is white


def describe(parts: Mapping[str, Decoded], label_names: Sequence[str]) -> dict[str, Any]:
    """Return what is known of decoded splits, as plain JSON values."""
    labels = np.array([label for part in parts.values() for label in part.labels], np.int64)
    labels = labels.reshape(len(labels), -1) if len(labels) else labels[:, None]
    highest = np.array([level for part in parts.values() for level in part.highest_levels], np.int64)
    return {
        "counts": {name: len(part.labels) for name, part in parts.items()},
        "fingerprints": {name: part.fingerprint for name, part in parts.items()},
        "grey": sum(part.n_grey for part in parts.values()),
        "sixteen_bits": len(highest),
        "dark": int((highest <= DARK).sum()),
        "highest_level": int(highest.max(initial=0)),
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
    white, highest = manifest["made_from"]["view"]["white_level"], manifest["highest_level"]
    if white is None and manifest["dark"]:
        log.warning(
            "%s: %d of the %d images of 16 bits have no level above %d, and come out nearly black: where another level "
            "than 65535 is white, type it, as data.white_level=%d.",
            *(name, manifest["dark"], manifest["sixteen_bits"], DARK, DARK),
        )
    if white is not None and highest > white:
        log.warning("%s: there are levels up to %d, which data.white_level=%d cuts off.", name, highest, white)
    n, n_grey = sum(manifest["counts"].values()), manifest["grey"]
    if channels == 3 and n_grey == n:
        log.info("%s is grey: its one channel is repeated for data.channels=3.", name)
    if channels == 1 and n_grey < n:
        log.info("%s has colours: data.channels=1 keeps their brightness alone.", name)


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
    some = [*names[:NAMED], *([f"and {len(names) - NAMED:,} more"] if len(names) > NAMED else [])]
    return found + (f": {', '.join(some)}" if names else "") + (f"; {n:,} images have none" if n else "")


def left_out_files(left_out: Mapping[str, int]) -> str:
    """Say how many files are no images by their names, and of which kinds; nothing if there are none."""
    if not left_out:
        return ""
    n, kinds = sum(left_out.values()), listed([f"{n:,} {kind}" for kind, n in left_out.items()])
    return f"{n:,} {'file is' if n == 1 else 'files are'} left out: {kinds}. {listed(FORMATS)} are read."


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


def disk_error(error: OSError | UsageError, name: str, folder: Path, n_bytes: int) -> UsageError:
    """Say what to do where the decoded images of a data set can't be kept in a folder, unless that has been said."""
    if isinstance(error, UsageError):
        return error
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(folder).free
        return UsageError(
            f"The decoded images of {name} need {n_bytes / 1e6:,.0f} MB in {folder}, where {free / 1e6:,.0f} MB are "
            "free: choose another disk with paths.data_dir=PATH, a smaller data.size, or data.limit=N."
        )
    return UsageError(f"{folder} can't be written ({error.strerror}): choose another folder with paths.data_dir=PATH.")
