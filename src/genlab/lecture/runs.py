"""Trained models for the claims, what they generate, and two numbers on it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from genlab.images import to_float, to_uint8
from genlab.metrics.population import feature_statistics, frechet
from genlab.metrics.reference import reference
from genlab.metrics.sharpness import high_frequency_energy
from genlab.protocols import FeatureEncoder

N_SAMPLES = 1000
HELD_OUT = "val+test"
BATCH_SIZE = 100

Kind = Callable[[Any], Tensor]  # from a run to uint8 images (B, C, H, W)


class Runs:
    """Trained models, by what was typed for them: `runs("experiment=lecture/vae", "seed=0")`.

    Args:
        folders: of the runs, by the set of what was typed.
        load: makes a run of a folder, with a `model`, in evaluation mode, and a `datamodule`.
        encoder: whose features are compared.
        cache_dir: where those of the training images are kept.
    """

    def __init__(
        self,
        folders: Mapping[frozenset[str], Path],
        load: Callable[[str], Any],
        encoder: FeatureEncoder,
        cache_dir: Path,
    ) -> None:
        self._folders, self._load, self._encoder, self._cache_dir = folders, load, encoder, cache_dir
        self._runs: dict[Path, Any] = {}
        self._distances: dict[tuple[int, Kind], float] = {}

    def __call__(self, *typed: str) -> Any:
        """The run of these overrides."""
        folder = self._folders[frozenset(typed)]
        if folder not in self._runs:
            self._runs[folder] = self._load(str(folder))
        return self._runs[folder]

    def distance(self, run: Any, kind: Kind) -> float:
        """The Fréchet distance of what a run gives from its training images; each kind is measured once a run."""
        key = (id(run), kind)
        if key not in self._distances:
            images, how = kind(run), (self._encoder, BATCH_SIZE, "cpu")
            reals = reference(run.datamodule.images("train"), *how, self._cache_dir)
            fakes = feature_statistics(images.__getitem__, len(images), *how)
            self._distances[key] = frechet(fakes, reals)
        return self._distances[key]


def sharpness(run: Any, kind: Kind) -> float:
    """The energy at high frequencies of what a run gives, divided by that of its training images."""
    energies = [high_frequency_energy(images).mean() for images in (kind(run), run.datamodule.images("train")[:])]
    return (energies[0] / energies[1]).item()


@torch.no_grad()
def decoded(run: Any, codes: Tensor) -> Tensor:
    """Ψ(z) as uint8 images (B, C, H, W), of codes (B, latent_dim)."""
    return to_uint8(torch.cat([run.model.decode(part) for part in codes.split(BATCH_SIZE)]))


def from_standard_normal(run: Any) -> Tensor:
    """Ψ(z) with z ~ N(0, I), whatever prior the model has: uint8 (B, C, H, W)."""
    return decoded(run, torch.randn(N_SAMPLES, run.model.latent_dim, generator=Generator().manual_seed(0)))


def samples(run: Any) -> Tensor:
    """Ψ(z) with z from the model's own prior: uint8 (B, C, H, W)."""
    return decoded(run, run.model.prior(N_SAMPLES, Generator().manual_seed(0)))


@torch.no_grad()
def reconstructions(run: Any) -> Tensor:
    """Ψ(Φ(x)) of the held-out images: uint8 (B, C, H, W)."""
    x = to_float(run.datamodule.images(HELD_OUT)[:])
    return to_uint8(torch.cat([run.model.reconstruct(part) for part in x.split(BATCH_SIZE)]))


@torch.no_grad()
def training_codes(run: Any) -> Tensor:
    """Φ(x) of the training images, (B, latent_dim)."""
    x = to_float(run.datamodule.images("train")[:])
    return torch.cat([run.model.encode(part) for part in x.split(BATCH_SIZE)])
