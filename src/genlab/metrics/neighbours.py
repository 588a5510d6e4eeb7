"""What the distances between feature vectors tell: fidelity, variety, and copies of the training images."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from genlab.moments import standard_error
from genlab.protocols import ImageArray

CHUNK = 2**24  # distances at a time, 64 MiB


class ManifoldMetrics(NamedTuple):
    """Shares in [0, 1], except that the density may exceed 1."""

    precision: float
    recall: float
    density: float
    coverage: float


def manifold_metrics(
    samples: Tensor, reference: Tensor, k: int = 3, k_density: int = 5
) -> tuple[ManifoldMetrics, ManifoldMetrics]:
    """Compare two sets by the balls around their vectors that reach to the k-th nearest other vector of the same set.

    Precision is the share of samples in at least one ball of the reference, recall the share of the reference in at
    least one ball of the samples (Kynkäänniemi et al. 2019, eqs. 1-2; k = 3). Density is the mean number of reference
    balls that a sample lies in, divided by k_density, and coverage the share of reference balls that hold a sample
    (Naeem et al. 2020, section 3; k = 5): an outlier's large ball misleads them less. Balls are closed.

    For equal distributions and n = m the density is 1 in expectation and coverage tends to 1 - 2^-k_density; the
    other two depend on n and m: compare values of equal n and m only.

    Args:
        samples: (n, D).
        reference: (m, D).
        k: neighbours for precision and recall.
        k_density: neighbours for density and coverage.

    Returns:
        The four, and their standard errors over other samples. Each sample counts for the balls of the reference that
        no other lies in, and its own ball for the vectors that no other covers (the jackknife; that radii of samples
        change with their neighbours is left out).

    Raises:
        ValueError: if a set has no k-th other vector.
    """
    n, m = len(samples), len(reference)
    radii_k, radii_density = _radii(reference, (k, k_density))
    (sample_radii,) = _radii(samples, (k,))
    is_precise, n_around = [], []
    recalled, covered = _Cover(m, reference.device), _Cover(m, reference.device)
    for rows, distances in _distances(samples, reference):
        is_precise.append((distances <= radii_k).any(1))
        recalled.add(rows, distances <= sample_radii[rows, None])
        inside = distances <= radii_density
        covered.add(rows, inside)
        n_around.append(inside.sum(1))
    per_sample = (torch.cat(is_precise), recalled.influence(n), torch.cat(n_around) / k_density, covered.influence(n))
    precision, recall, density, coverage = (part.double() for part in per_sample)
    values = (precision.mean(), recalled.share, density.mean(), covered.share)
    errors = map(standard_error, (precision, recall, density, coverage))
    return ManifoldMetrics(*(float(value) for value in values)), ManifoldMetrics(*errors)


def nearest(queries: Tensor, reference: Tensor, exclude_self: bool = False) -> tuple[Tensor, Tensor]:
    """Find the nearest reference vector of each query.

    Args:
        queries: (n, D).
        reference: (m, D).
        exclude_self: whether row i of the queries is row i of the reference, and is not to find itself.

    Returns:
        Euclidean distances (n,), 0 exactly for a copy, and row numbers (n,) in the reference.

    Raises:
        ValueError: if there is nothing to find.
    """
    if len(reference) < 1 + exclude_self:
        raise ValueError(f"There is no nearest one among {len(reference)} vectors.")
    parts = [distances.argmin(1) for _, distances in _distances(queries, reference, exclude_self)]
    indices = torch.cat(parts) if parts else torch.empty(0, dtype=torch.long, device=queries.device)
    # Matrix products leave rounding of the size of the vectors, so the one distance that counts is taken again.
    exact = [(q - reference[i]).norm(dim=1) for q, i in zip(queries.split(4096), indices.split(4096), strict=True)]
    return torch.cat(exact), indices


def nearest_few(queries: Tensor, reference: ImageArray | Tensor, k: int, at_once: int = 1000) -> tuple[Tensor, Tensor]:
    """Find the k nearest of many images or vectors, which need not fit into the memory, of each of a few.

    Args:
        queries: (n, ...).
        reference: (m, ...) with the same dimensions, m at least k.
        k: how many.
        at_once: of the reference.

    Returns:
        Euclidean distances (n, k), the smallest first and 0 exactly for a copy, and row numbers (n, k) in the
        reference, the lower first where distances are equal.
    """
    flat = queries.flatten(1).float()
    distances, rows = flat.new_empty(len(flat), 0), torch.empty(len(flat), 0, dtype=torch.long, device=flat.device)
    for start in range(0, len(reference), at_once):
        part = reference[start : start + at_once].to(flat.device).flatten(1).float()
        found = torch.cdist(flat, part, compute_mode="donot_use_mm_for_euclid_dist")
        numbers = torch.arange(start, start + len(part), device=flat.device).expand_as(found)
        distances, order = torch.cat([distances, found], 1).sort(dim=1, stable=True)
        distances, rows = distances[:, :k], torch.cat([rows, numbers], 1).gather(1, order[:, :k])
    return distances, rows


def memorisation(sample_distances: Tensor, held_out_distances: Tensor) -> Tensor:
    """P(d(sample) < d(held-out image)), ties counting half, with d the distance to the nearest training image.

    The mean over the samples is the Mann-Whitney statistic divided by the number of pairs (Meehan, Chaudhuri and
    Dasgupta 2020, section 3). 0.5: samples lie as far from the training set as images that the model has never seen;
    towards 1: copies of training images; towards 0: samples far from any image, so that this is no measure of quality.

    Args:
        sample_distances: (n,), as from `nearest`.
        held_out_distances: (m,), the same for held-out images.

    Returns:
        For each sample the share of held-out images (n,) in float64.

    Raises:
        ValueError: if one of them is empty.
    """
    n, m = len(sample_distances), len(held_out_distances)
    if min(n, m) == 0:
        raise ValueError(f"Memorisation compares samples with held-out images, got {n} and {m}.")
    held_out = held_out_distances.sort().values
    n_smaller, n_not_larger = (
        torch.searchsorted(held_out, sample_distances.contiguous(), right=right) for right in (False, True)
    )
    return 1 - (n_smaller + n_not_larger).double() / (2 * m)


class _Cover:
    """Which of m vectors lie in a ball, or hold a sample in their own; and of which that is owed to a single sample."""

    def __init__(self, m: int, device: torch.device) -> None:
        self.count = torch.zeros(m, dtype=torch.long, device=device)
        self.newest = torch.zeros(m, dtype=torch.long, device=device)  # sample

    def add(self, rows: slice, is_in: Tensor) -> None:
        """Count some of the samples, by what each of them (rows, m) has to do with each vector."""
        self.count += is_in.sum(0)
        self.newest = torch.where(is_in.any(0), rows.start + is_in.int().argmax(0), self.newest)

    @property
    def share(self) -> Tensor:
        return (self.count > 0).double().mean()

    def influence(self, n: int) -> Tensor:
        """What the share would lose without each of the n samples, times n - 1: (n,)."""
        alone = torch.bincount(self.newest[self.count == 1], minlength=n)
        return (n - 1) * alone / len(self.count)


def _distances(a: Tensor, b: Tensor, exclude_self: bool = False) -> Iterator[tuple[slice, Tensor]]:
    """Yield rows of a (n, D) and their distances (rows, m) from b (m, D); infinite from itself."""
    n_rows = max(1, CHUNK // len(b))
    for start in range(0, len(a), n_rows):
        rows = slice(start, min(start + n_rows, len(a)))
        distances = torch.cdist(a[rows], b)
        if exclude_self:
            distances.diagonal(start).fill_(torch.inf)
        yield rows, distances


def _radii(features: Tensor, ks: tuple[int, ...]) -> list[Tensor]:
    """Distances (n,) of the vectors (n, D) from their k-th nearest other vector, for each k."""
    if not 1 <= min(ks) <= max(ks) < len(features):
        raise ValueError(f"{len(features)} vectors don't have {max(ks)} neighbours each, or {min(ks)} is below 1.")
    near = [d.topk(max(ks), largest=False).values for _, d in _distances(features, features, exclude_self=True)]
    return [torch.cat(near)[:, k - 1] for k in ks]
