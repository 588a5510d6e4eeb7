"""Feature statistics of the real images, computed once and cached on disk."""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genlab.data.arrays import fingerprint, write_array
from genlab.data.sums import check_sums, sums
from genlab.distributed import gathered, rank_and_world_size
from genlab.files import atomic_write, warn_on_failure
from genlab.metrics.population import Population, feature_statistics
from genlab.moments import Moments
from genlab.protocols import FeatureEncoder, ImageArray
from genlab.stamp import encoder_fields

log = logging.getLogger(__name__)


def reference(
    images: ImageArray,
    encoder: FeatureEncoder,
    batch_size: int,
    device: Any,
    cache_dir: Path | None,
    keep: bool = False,
    interrupted: Callable[[], bool] = lambda: False,
) -> Population:
    """Read the `feature_statistics` of uint8 images (N, C, H, W) from the cache, or compute and cache them.

    Files are named by a fingerprint of the images as cropped and resized, and of the encoder with its layer, resizing
    and version: `NAME_FINGERPRINT.npz` holds moments with the root of the covariance, `NAME_FINGERPRINT_features.npy`
    the features, which are memory-mapped. Without a `cache_dir` nothing is kept.
    """
    how = (len(images), encoder, batch_size, device, keep, interrupted)
    if cache_dir is None or len(images) < 2:  # one has no covariance
        return feature_statistics(images.__getitem__, *how)
    identity = " ".join([fingerprint(images), *encoder_fields(encoder).values()])
    path = cache_dir / f"{encoder.name}_{hashlib.sha256(identity.encode()).hexdigest()[:16]}.npz"
    found = _read(path, keep)
    if all(gathered(found is not None)):  # otherwise all processes describe their share
        assert found is not None
        return found
    log.info("Describing the %d reference images once; kept in %s", len(images), path)
    population = feature_statistics(images.__getitem__, *how)
    if rank_and_world_size()[0] == 0:
        with warn_on_failure(f"{cache_dir.name}/"):
            _write(path, population)
    return population


def _features_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}_features.npy")


def _read(path: Path, keep: bool) -> Population | None:
    """Read the cache, arrays alone and no pickled objects; None if there is none, or if it is damaged."""
    features = None
    if not path.is_file() or (keep and not _features_path(path).is_file()):
        return None
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: torch.from_numpy(file[name]) for name in ("mean", "scatter", "root", "energy", "n")}
            expected = str(file["sums"]) if "sums" in file else ""  # an earlier version kept none
        if keep:
            check_sums(path.parent, {_features_path(path).name: expected})
            features = torch.from_numpy(np.load(_features_path(path), mmap_mode="c", allow_pickle=False))
            if len(features) != arrays["n"]:
                raise ValueError("the features are of other images")
    except Exception as error:  # a damaged archive fails in many ways
        log.warning("%s can't be read (%s): the reference is described again.", path, error)
        return None
    moments = Moments(len(arrays["mean"]), torch.float64)
    moments.n, moments.mean, moments.scatter = int(arrays["n"]), arrays["mean"], arrays["scatter"]
    population = Population(moments, arrays["energy"].item(), features)
    population.root = arrays["root"]
    return population


def _write(path: Path, population: Population) -> None:
    arrays: dict[str, Any] = {**vars(population.moments), "root": population.root, "energy": population.energy}
    if population.features is not None:
        write_array(_features_path(path), population.features.numpy(), shared=True)
        arrays["sums"] = sums(_features_path(path))
    with atomic_write(path, shared=True) as unfinished, unfinished.open("wb") as file:
        np.savez(file, **arrays)
