"""What is evaluated: a trained model or a folder of images, beside the data set that it is held against."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Generator, Tensor

from genlab import sampling
from genlab.conditioning import given, labels_for
from genlab.data.files import find_files
from genlab.data.view import View, opened
from genlab.distributed import in_batches
from genlab.errors import UsageError, one_line
from genlab.images import to_float, to_uint8
from genlab.losses.divergence import kl_per_entry
from genlab.metrics.neighbours import nearest
from genlab.metrics.population import MOST_KEPT, Population, feature_statistics
from genlab.metrics.reference import reference
from genlab.models.autoencoding import reparametrise
from genlab.protocols import FeatureEncoder, HasPosterior, Reconstructs
from genlab.stamp import Stamp, prior_of, stamp, trained_on

Result = TypeVar("Result")


class NotApplicable(Exception):
    """A subject has nothing for a measure, or for one `metric` of several of it; the text says why."""

    def __init__(self, reason: str, metric: str | None = None) -> None:
        super().__init__(reason)
        self.metric = metric


def too_few(needed: int, **counts: int) -> str:
    """Say which sets of images, given by name, are smaller than `needed`; an empty text if none is."""
    small = {name.replace("_", " "): f"is {n}" if n == 1 else f"are {n}" for name, n in counts.items() if n < needed}
    return ", and ".join(f"{needed} {name} or more are needed, and there {is_n}" for name, is_n in small.items())


@dataclass
class Subject:
    """A source of samples beside a data set. What several measures need is computed once, on first use."""

    name: str  # of the run or the folder
    samples: Callable[[slice], Tensor]  # from rows to uint8 samples (B, C, H, W)
    n_samples: int
    datamodule: Any  # the data set, an `ImageDataModule`
    encoder: FeatureEncoder  # describes images, on `device`
    device: torch.device
    cache_dir: Path | None  # where descriptions of real images are kept; None for nowhere
    model: Any = None  # what drew the samples; None for a folder
    split: str = "test"  # held-out images, for reconstructions, likelihoods and codes
    reference: str = "train"  # split that the samples are compared with
    batch_size: int = 100
    seed: int = 0  # of all noise
    keep: bool = True  # whether the features of each image are kept, or only their moments
    labels: Tensor | None = None  # that the samples were asked for by, where the model takes any

    def able(self, protocol: type, what: str) -> Any:
        """Return the model, or raise a NotApplicable if there is none or it does not fulfil a protocol."""
        if self.model is None:
            raise NotApplicable(f"a folder of images has no {what}")
        if not isinstance(self.model, protocol):
            raise NotApplicable(f"{type(self.model).__name__} has no {what}")
        return self.model

    def require(self, needed: int) -> None:
        """Raise a NotApplicable if there are fewer samples or reference images than `needed`."""
        if reason := too_few(needed, samples=len(self.fakes), **{f"{self.reference}_images": len(self.reals)}):
            raise NotApplicable(reason)

    def over_held_out(self, work: Callable[..., Result]) -> list[Result]:
        """Results of all batches of held-out images, in order, on every process.

        Args:
            work: from images (B, C, H, W) in [-1, 1] and the noise for them to a result on the CPU; for a conditional
                model with their labels as a further argument `y`.
        """

        def work_on(number: int, rows: slice) -> Result:
            x = to_float(self.datamodule.images(self.split)[rows].to(self.device))
            return work(x, Generator().manual_seed(self.seed * 1_000_003 + number), **self.told(rows))

        with torch.no_grad():
            return list(in_batches(work_on, len(self.datamodule.images(self.split)), self.batch_size))

    def told(self, rows: slice) -> dict[str, Any]:
        """The labels of held-out images as a further argument, where the model takes any."""
        return given(labels_for(self.model, self.datamodule.labels(self.split)[rows]))

    @cached_property
    def fakes(self) -> Population:
        """The samples, described."""
        return self._describe(self.samples, self.n_samples, self.keep or self.n_samples <= MOST_KEPT)

    @cached_property
    def reals(self) -> Population:
        """The reference images, described."""
        return self._describe_split(self.reference)

    @cached_property
    def held_out(self) -> Population:
        """The held-out images, described."""
        return self._describe_split(self.split)

    @cached_property
    def reconstructions(self) -> Population:
        """The model's reconstructions of the held-out images, described; drawn where its samples are."""
        model, held_out = self.able(Reconstructs, "encoder"), self.datamodule.images(self.split)

        def reconstruct(rows: slice) -> Tensor:
            x_hat = model.reconstruct(to_float(held_out[rows].to(self.device)), **self.told(rows))
            if sampling.is_drawn(model, self.datamodule):
                x_hat = sampling.drawn(x_hat, rows.start, f"reconstructions {self.seed}")
            return to_uint8(x_hat)

        return self._describe(reconstruct, len(held_out))

    @property
    def features(self) -> tuple[Tensor, Tensor]:
        """Those of the samples (n, D) and of the reference (m, D)."""
        return _features(self.fakes), _features(self.reals)

    @cached_property
    def nearest_to_fakes(self) -> tuple[Tensor, Tensor]:
        """Distances (n,) and rows (n,) of the reference image nearest to each sample, by their features."""
        return nearest(*self.features)

    @cached_property
    def nearest_to_held_out(self) -> tuple[Tensor, Tensor]:
        """The same for the held-out images."""
        return nearest(_features(self.held_out), _features(self.reals))

    @cached_property
    def codes(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Codes of the held-out images: means, draws from q(z|x), and the KL of each entry, each (N, latent_dim).

        Entries of a code of maps stand in one row. Where encoding is deterministic the draws are the codes themselves,
        and there is no KL.
        """
        model = self.able(Reconstructs, "encoder")
        if not isinstance(model, HasPosterior):
            means = torch.cat(self.over_held_out(lambda x, _, **y: model.encode(x, **y).flatten(1).cpu()))
            return means, means, None

        def draw(x: Tensor, generator: Generator, **y: Tensor) -> tuple[Tensor, ...]:
            mean, logvar = model.posterior(x, **y)
            z = reparametrise(mean, logvar, generator)
            return tuple(part.flatten(1).cpu() for part in (mean, z, kl_per_entry(mean, logvar)))

        means, z, kl = (torch.cat(parts) for parts in zip(*self.over_held_out(draw), strict=True))
        return means, z, kl

    def _describe(self, images: Callable[[slice], Tensor], n: int, keep: bool | None = None) -> Population:
        keep = self.keep if keep is None else keep
        return feature_statistics(images, n, self.encoder, self.batch_size, self.device, keep)

    def _describe_split(self, split: str) -> Population:
        images = self.datamodule.images(split)
        return reference(images, self.encoder, self.batch_size, self.device, self.cache_dir, self.keep)

    @property
    def prior(self) -> str | None:
        """See `prior_of`."""
        return prior_of(self.model)

    def stamp(self, metric: str, split: str, encoded: bool = False, **fields: Any) -> Stamp:
        """The protocol of a value.

        Args:
            metric: its name.
            split: where the real images are from.
            encoded: whether the encoder took part.
            fields: further fields, or others than those of the subject; `n_fake` where generated images took part.
        """
        known: dict[str, Any] = {"seed": self.seed}
        if self.model is not None:
            known["weights"] = self.model.weights_in_use
            known["trained_on"] = trained_on(self.model, self.encoder.name) if encoded else None
            known["generated"] = sampling.kind(self.model, self.datamodule) if "n_fake" in fields else None
            known["prior"] = self.prior if "n_fake" in fields else None
        return stamp(metric, self.datamodule, split, self.encoder if encoded else None, **(known | fields))


def _features(population: Population) -> Tensor:
    assert population.features is not None, "a measure that needs features has to say so"
    return population.features


def folder_samples(root: Path, image_shape: tuple[int, int, int], n: int) -> tuple[Callable[[slice], Tensor], int]:
    """Read the images that any other program has left in a folder, or in a .zip file, as samples.

    Args:
        root: where they are, at any depth.
        image_shape: (C, H, W) of the data; colour and grey are converted into each other, sizes are not.
        n: how many to take at most, spread over the list of names.

    Returns:
        A map from rows to uint8 images (B, C, H, W), and how many there are.

    Raises:
        UsageError: if there are no images, or if one has another size than the data or can't be read.
    """
    channels, height, width = image_shape
    files = find_files(root, "images")
    n = min(n, len(files.names))
    chosen = [row * len(files.names) // n for row in range(n)]
    view = View(height, channels)

    def read(row: int) -> np.ndarray:
        name = f"{files.names[row]} in images={root}"
        try:
            with opened(files[row]) as image:
                size = image.size
                pixels, _ = view(image)
        except Exception as error:
            raise UsageError(f"{name} can't be read: {one_line(error)}") from error
        if size != (width, height):
            raise UsageError(
                f"{name} has {size[0]}x{size[1]} pixels, and the data {width}x{height}: give images of the data's "
                "size, as resizing changes every score."
            )
        return pixels

    read(chosen[0])  # the most likely error, before anything takes long
    return lambda rows: torch.from_numpy(np.stack([read(row) for row in chosen[rows]])), n
