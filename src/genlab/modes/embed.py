"""The codes of images as points of a plane."""

import io
import re
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from importlib.util import find_spec
from typing import ClassVar, Literal

import numpy as np
import torch
from rich.progress import Progress
from torch import Generator

from genlab.bounds import PositiveInt
from genlab.console import console
from genlab.data.labels import LabelColumn, label_columns
from genlab.errors import UsageError, unknown
from genlab.images import resized
from genlab.modes.inputs import BATCH_SIZE, encode, spread
from genlab.modes.mode import Mode, needs_encoder, needs_two_entries
from genlab.modes.scatter import Scatter
from genlab.protocols import LoadedRun

FEWEST = 3  # points that an embedding makes sense of
THUMBNAIL = 32  # pixels a side, at most: a page holds all images


class Embed(Mode):
    """The codes of the images of a split as points of a plane, coloured by label.

    Args:
        by: the first two principal components (`pca`); t-SNE (van der Maaten and Hinton 2008), started from those, with
            a perplexity of 30 or a third of the points; or UMAP (McInnes et al. 2018), with its own defaults.
        split: whose images.
        n: how many at most, from all over the split.
        colour: the label that colours them, by its name or number, where an image has several; None for the first.
        format: None for that of the file's ending. `html` shows the image under the mouse. `npz` holds the `codes`
            (n, latent_dim), the `points` (n, 2) and all `labels` of the images.

    Raises:
        UsageError: for UMAP, if it is not installed.
    """

    formats: ClassVar = ("png", "html", "npz")

    def __init__(
        self,
        by: Literal["pca", "tsne", "umap"] = "pca",
        split: Literal["train", "val", "test"] = "test",
        n: PositiveInt = 5000,
        colour: str | None = None,
        format: Literal["png", "html", "npz"] | None = None,
    ) -> None:
        if by == "umap" and find_spec("umap") is None:
            raise UsageError('mode.by=umap needs a package that is not installed: type pip install -e ".[umap]".')
        self.by, self.split, self.n, self.colour, self.format = by, split, n, colour, format

    @classmethod
    def why_not(cls, run: LoadedRun) -> str | None:
        return needs_encoder(run) or needs_two_entries(run)

    def __call__(self, run: LoadedRun, generator: Generator) -> Scatter:
        data = run.datamodule
        labels, column = data.labels(self.split), self._column(label_columns(data, self.split))
        rows = spread(torch.ones(len(labels), dtype=torch.bool), self.n)
        if (n := len(rows)) < FEWEST:
            raise UsageError(
                f"mode=embed needs {FEWEST} images or more, not {n}: type a larger mode.n, or mode.split=train."
            )
        images = data.images(self.split)
        codes = encode(run, self.split, rows).flatten(1).cpu().numpy()
        points = WAYS[self.by](codes, generator.initial_seed())
        return Scatter(
            points.astype(np.float32),
            codes,
            torch.cat([resized(images[part], min(THUMBNAIL, data.size)) for part in rows.split(BATCH_SIZE)]),
            column._replace(values=column.values[rows]) if column else None,
            labels[rows].numpy(),
            f"Codes of {len(rows):,} {self.split} images of {data.name}, by {self.by}",
        )

    def _column(self, columns: list[LabelColumn]) -> LabelColumn | None:
        """The label that colours the points; None if there are none."""
        if self.colour is None:
            return next(iter(columns), None)
        found = {str(number): column for number, column in enumerate(columns)}
        found |= {column.name: column for column in columns}
        if self.colour not in found:
            raise UsageError(unknown("label for mode.colour", self.colour, [column.name for column in columns]))
        return found[self.colour]


def _pca(codes: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.decomposition import PCA

    return PCA(2, svd_solver="full").fit_transform(codes)


def _tsne(codes: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE

    perplexity, out = min(30.0, (len(codes) - 1) / 3), console(stderr=True)
    tsne = TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=-1, verbose=2)
    with Progress(console=out, disable=not out.is_terminal, redirect_stdout=False, transient=True) as progress:
        bar = progress.add_task(f"t-SNE of {len(codes):,} codes", total=tsne.max_iter)
        with redirect_stdout(_Iterations(lambda n: progress.update(bar, completed=n))):
            return tsne.fit_transform(codes)


def _umap(codes: np.ndarray, seed: int) -> np.ndarray:
    from umap import UMAP

    return np.asarray(UMAP(n_neighbors=min(15, len(codes) - 1), random_state=seed, n_jobs=1).fit_transform(codes))


class _Iterations(io.TextIOBase):
    """Tells how far t-SNE is by what it prints, which it says in no other way."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self.advance = advance

    def write(self, text: str) -> int:
        if found := re.search(r"Iteration (\d+)", text):
            self.advance(int(found[1]))
        return len(text)


WAYS: Mapping[str, Callable[[np.ndarray, int], np.ndarray]] = {"pca": _pca, "tsne": _tsne, "umap": _umap}
