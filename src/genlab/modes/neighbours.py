"""Samples beside the training images that are nearest to them."""

from pathlib import Path
from typing import Literal

import torch
from torch import Generator, Tensor

from genlab.bounds import PositiveInt
from genlab.errors import UsageError
from genlab.images import to_float, to_uint8
from genlab.metrics.neighbours import nearest_few
from genlab.metrics.reference import reference
from genlab.modes.labels import Label, array, labels
from genlab.modes.mode import Mode
from genlab.modes.sheet import Sheet
from genlab.protocols import FeatureEncoder, ImageArray, LoadedRun
from genlab.sampling import decode_codes

BATCH_SIZE = 100  # as evaluation takes


class Neighbours(Mode):
    """Samples, each with the training images that are nearest to it: copies would show there.

    In a row stand a sample, its neighbours by the distance of pixels, with the root mean squared error in grey levels
    (0 to 255), and its neighbours by the distance of features, which is below them. What is moved a little is far away
    in pixels and near in features.

    Args:
        features: describes images.
        cache_dir: where the features of training images are kept, as by evaluation; None for nowhere.
        n: how many samples.
        k: neighbours of each, by pixels and as many by features.
        label: of a conditional model: a class by its number or name, or `{NAME: VALUE}`; None for as often as training
            images have them.
        format: None for that of the file's ending. `npz` holds the `codes` (n, *latent_shape) too, and of both kinds of
            neighbours the row numbers in the training set and the distances, (n, k) each.
    """

    def __init__(
        self,
        features: FeatureEncoder,
        cache_dir: str | None = None,
        n: PositiveInt = 6,
        k: PositiveInt = 4,
        label: Label = None,
        format: Literal["png", "npz"] | None = None,
    ) -> None:
        self.features, self.cache_dir = features, Path(cache_dir) if cache_dir else None
        self.n, self.k, self.label, self.format = n, k, label, format

    def __call__(self, run: LoadedRun, generator: Generator) -> Sheet:
        training = run.datamodule.images("train")
        if self.k > len(training):
            raise UsageError(f"mode.k={self.k} is more than the {len(training)} training images of this run.")
        codes = run.model.prior(self.n, generator)
        y = labels(run, self.label, self.n, generator)
        samples = to_uint8(decode_codes(run.model, run.datamodule, codes, generator, y=y))
        errors, by_pixels = (part.cpu() for part in nearest_few(samples, training, self.k))
        errors /= samples[0].numel() ** 0.5
        distances, by_features = self._by_features(samples, training)
        found = training[torch.cat([by_pixels, by_features], 1).flatten()].unflatten(0, (self.n, -1))
        blank = [""] * (self.k - 1)
        return Sheet(
            to_float(torch.cat([samples.cpu()[:, None], found], 1).flatten(0, 1)),
            1 + 2 * self.k,
            columns=["sample", "by pixels", *blank, "by features", *blank],
            captions=_captions(errors, distances),
            arrays={"codes": codes.cpu(), "by_pixels": by_pixels, "errors": errors}
            | {"by_features": by_features, "distances": distances, **array(y)},
        )

    def _by_features(self, samples: Tensor, training: ImageArray) -> tuple[Tensor, Tensor]:
        """Distances and row numbers (n, k) of the training images whose features are nearest."""
        encoder = self.features.to(samples.device)
        known = reference(training, encoder, BATCH_SIZE, samples.device, self.cache_dir, keep=True).features
        assert known is not None
        of_samples = torch.cat([encoder(part).float().cpu() for part in samples.split(BATCH_SIZE)])
        return nearest_few(of_samples, known, self.k)


def _captions(errors: Tensor, distances: Tensor) -> list[str]:
    """Those of the rows of samples and neighbours, given what is below these, (n, k) each."""
    rows = zip(errors.tolist(), distances.tolist(), strict=True)
    return [text for e, d in rows for text in ("", *map("{:.1f}".format, e), *map("{:#.3g}".format, d))]
