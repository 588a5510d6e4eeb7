"""The moments of a reference data set, kept on disk, since they cost as much as scoring thousands of samples."""

import hashlib
import logging
import os
from pathlib import Path

import numpy as np
import torch

from genlab.data.arrays import MappedImages
from genlab.moments import Moments
from genlab.protocols import FeatureEncoder, ImageArray

log = logging.getLogger(__name__)


def identity(encoder: FeatureEncoder) -> str:
    """Everything that the features of an image depend on, in one line."""
    return f"{encoder.name}, layer {encoder.layer}, {encoder.resize}, {encoder.library}"


@torch.no_grad()
def feature_moments(images: ImageArray, encoder: FeatureEncoder, batch_size: int, device: torch.device) -> Moments:
    """Moments, in float64 on the CPU, of the features of uint8 images (N, C, H, W)."""
    moments = Moments(encoder.dim, torch.float64)
    for start in range(0, len(images), batch_size):
        moments.update(encoder(images[start : start + batch_size].to(device)).cpu())
    return moments


def reference_moments(
    images: ImageArray, encoder: FeatureEncoder, batch_size: int, device: torch.device, cache_dir: Path | None
) -> Moments:
    """As `feature_moments`, kept in `cache_dir` under a fingerprint of the images themselves and of the encoder."""
    if cache_dir is None:
        return feature_moments(images, encoder, batch_size, device)
    path = cache_dir / f"{encoder.metric}_{_fingerprint(images, encoder)}.npz"
    if path.is_file():
        return _read(path)
    log.info("Describing the %d reference images once; kept in %s", len(images), path)
    moments = feature_moments(images, encoder, batch_size, device)
    _write(path, moments)
    return moments


def _fingerprint(images: ImageArray, encoder: FeatureEncoder) -> str:
    digest = hashlib.sha256(f"{identity(encoder)} {tuple(images.shape)}".encode())
    if isinstance(images, MappedImages):  # a large file need not be read for that
        digest.update(images.fingerprint.encode())
    else:
        digest.update(images[:].contiguous().numpy().data)
    return digest.hexdigest()[:16]


def _read(path: Path) -> Moments:
    with np.load(path, allow_pickle=False) as arrays:
        moments = Moments(len(arrays["mean"]), torch.float64)
        moments.n = int(arrays["n"])
        moments.mean, moments.scatter = torch.from_numpy(arrays["mean"]), torch.from_numpy(arrays["scatter"])
    return moments


def _write(path: Path, moments: Moments) -> None:
    """Write to a name of this process alone, then rename, so that nobody reads half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.stem}.{os.getpid()}.tmp.npz")
    np.savez(temporary, n=moments.n, mean=moments.mean.numpy(), scatter=moments.scatter.numpy())
    temporary.replace(path)
