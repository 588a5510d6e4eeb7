"""The decoded images of a data set on disk.

A cache is a folder with `train.npy`, `val.npy`, `test.npy` (uint8 images), `train_labels.npy` and so on, and
`manifest.json`, which has their checksums. It is made under a temporary name and renamed when it is whole.
"""

import json
import logging
import shutil
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genlab.data.arrays import ImageWriter, MappedImages, write_array
from genlab.data.decode import RawImages, decode
from genlab.data.manifest import Summary, check_rejects, describe
from genlab.data.sums import check_sums, sums
from genlab.data.view import View
from genlab.files import flush, write_text
from genlab.protocols import Split
from genlab.redaction import redact_all

log = logging.getLogger(__name__)

GONE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
Manifest = dict[str, Any]  # plain JSON values
Cached = tuple[Manifest, dict[str, Split]]


def read_cache(folder: Path, made_from: Manifest) -> Cached | None:
    """Return the manifest and the memory-mapped splits; None if the cache is not there, or damaged, which is logged.

    Its manifest has to say `made_from` of the images.
    """
    if not folder.is_dir():
        return None
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if manifest["made_from"] != made_from:
            raise ValueError("its manifest describes other images")
        check_sums(folder, manifest.get("sums", {}))  # an earlier version kept none
        return _open(folder, manifest)
    except (*GONE, EOFError, ValueError, KeyError, TypeError) as error:
        log.warning("%s is damaged (%s): it is built again.", folder, error)
        return None


def _open(folder: Path, manifest: Manifest) -> Cached:
    splits = {}
    for name, fingerprint in manifest["fingerprints"].items():
        labels = torch.from_numpy(np.load(folder / f"{name}_labels.npy"))
        splits[name] = Split(MappedImages(folder / f"{name}.npy", fingerprint), labels)
    return manifest | {"folder": str(folder)}, splits


def write_cache(
    folder: Path,
    name: str,
    raw: Mapping[str, RawImages],
    view: View,
    notes: Manifest,
    max_rejects: float,
    n_workers: int | None,
) -> Cached:
    """Decode the splits of a data set into a folder, which appears once it is whole.

    Args:
        notes: what the manifest is to say besides.
        max_rejects: share of the files that may be unreadable; a UsageError if there are more.
        n_workers: processes that decode; None for as many as there are cores.
    """
    log.info("Decoding %s once, into %s", name, folder)
    temporary = folder.with_name(f"{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)  # left by a process that was killed
    try:
        temporary.mkdir()
        parts = {split: _write_split(temporary, split, name, images, view, n_workers) for split, images in raw.items()}
        manifest = redact_all(describe(parts, raw["train"].label_names) | notes)
        manifest["sums"] = {file.name: sums(file) for file in sorted(temporary.glob("*.npy"))}
        if rejected := check_rejects(name, manifest, max_rejects):
            log.warning("Left out: %s", rejected)
        write_text(temporary / "manifest.json", json.dumps(manifest, indent=2) + "\n")
        shutil.rmtree(folder, ignore_errors=True)  # a damaged one
        temporary.rename(folder)
        flush(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return _open(folder, manifest)


def _write_split(folder: Path, split: str, name: str, raw: RawImages, view: View, n_workers: int | None) -> Summary:
    summary, image_shape = Summary(), (view.channels, view.size, view.size)
    chunks = decode(raw, view, n_workers, f"{name} {split}")
    with ImageWriter(folder / f"{split}.npy", image_shape) as writer, closing(chunks):
        for chunk in chunks:
            images = np.array([image.pixels for image in chunk if image.pixels is not None], np.uint8)
            images = images.reshape(-1, *image_shape)
            writer.append(images)
            summary.add(chunk, images)
    summary.fingerprint = writer.digest.hexdigest()[:16]
    write_array(folder / f"{split}_labels.npy", np.asarray(summary.labels, dtype=np.int64))
    return summary
