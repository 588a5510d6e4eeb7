"""Feature statistics of a set of images, in one pass."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from genlab.distributed import in_batches
from genlab.metrics.frechet import (
    frechet_distance,
    frechet_distance_of_few,
    frechet_with_influence,
    frechet_with_influence_of_few,
)
from genlab.metrics.sharpness import high_frequency_energy
from genlab.moments import Moments, some_of, standard_error, symmetric_root
from genlab.protocols import FeatureEncoder

MOST_KEPT = 10_000  # samples whose features are kept in any case: intervals need them
AT_ONCE = 1000  # images whose features enter the moments together: each time costs a pass over a covariance


@dataclass
class Population:
    """Statistics of n images.

    Attributes:
        moments: of the features, in float64 on the CPU.
        energy: mean over the images of `high_frequency_energy`.
        energy_error: its standard error.
        features: (n, D) float32 on the CPU, if they were asked for.
        logits: (n, 1008), of encoders that classify, if features were asked for.
    """

    moments: Moments
    energy: float
    features: Tensor | None = None
    logits: Tensor | None = None
    energy_error: float = 0.0

    def __len__(self) -> int:
        return self.moments.n

    @cached_property
    def root(self) -> Tensor:
        """S^(1/2) (D, D) of the features' covariance."""
        return symmetric_root(self.moments.cov)


@torch.no_grad()
def feature_statistics(
    images: Callable[[slice], Tensor],
    n: int,
    encoder: FeatureEncoder,
    batch_size: int,
    device: Any,
    keep: bool = False,
    interrupted: Callable[[], bool] = lambda: False,
) -> Population:
    """Compute the statistics of n images, divided among all processes, with the same result on each of them.

    Args:
        images: from rows to uint8 images (B, C, H, W).
        n: number of images.
        encoder: maps images to features.
        batch_size: images at a time.
        device: where the encoder is.
        keep: whether to keep each image's features; else memory does not grow with n.
        interrupted: whether to stop; asked before every batch.

    Raises:
        Interrupted: if `interrupted` was true.
    """

    def describe(_: int, rows: slice) -> dict[str, Tensor]:
        batch = images(rows).to(device)
        found = {"energy": high_frequency_energy(batch)}
        if keep and hasattr(encoder, "with_logits"):
            found["features"], found["logits"] = encoder.with_logits(batch)
        else:
            found["features"] = encoder(batch)
        return {name: part.float().cpu() for name, part in found.items()}

    moments, energies = Moments(encoder.dim, torch.float64), Moments(1, torch.float64)
    kept: dict[str, list[Tensor]] = {"features": [], "logits": []}
    waiting: list[Tensor] = []
    for found in in_batches(describe, n, batch_size, interrupted):
        energies.update(found["energy"][:, None])
        waiting.append(found["features"])
        if len(waiting) * batch_size >= AT_ONCE:
            moments.update(torch.cat(waiting))
            waiting.clear()
        for name in kept.keys() & found.keys() if keep else ():
            kept[name].append(found[name])
    if waiting:
        moments.update(torch.cat(waiting))
    features, logits = (torch.cat(parts) if parts else None for parts in kept.values())
    return Population(moments, energies.mean.item(), features, logits, energies.error if n > 1 else 0.0)


def frechet(fakes: Population, reals: Population) -> float:
    """The Fréchet distance of one set of images from another, by the faster way."""
    if fakes.features is not None and len(fakes) < fakes.features.shape[1]:
        return frechet_distance_of_few(reals.moments, fakes.features)
    return frechet_distance(reals.moments, fakes.moments, reals.root)


def frechet_with_error(fakes: Population, reals: Population) -> tuple[float, float | None]:
    """`frechet` with its standard error over sets of as many images as `fakes`; None if features were not kept."""
    if fakes.features is None:
        return frechet(fakes, reals), None
    n = len(fakes)
    if n <= fakes.features.shape[1]:
        distance, influence = frechet_with_influence_of_few(reals.moments, fakes.features)
    else:
        distance, influence = frechet_with_influence(reals.moments, fakes.moments, some_of(fakes.features), reals.root)
    return distance, standard_error(influence, n)
