"""Every image of a split decoded once, by several processes, with a progress bar."""

import os
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from rich.markup import escape
from rich.progress import track
from torch.utils.data import DataLoader, Dataset

from genlab.console import console
from genlab.data.view import View
from genlab.errors import UsageError
from genlab.interrupts import blocked

CHUNK = 32  # images that a process decodes at a time
UNLABELLED = -1  # the label of an image that has none, or that entry of its labels
FEW = 1000  # images that are decoded sooner than further processes are started


@dataclass(frozen=True)
class Labelled:
    """Images and their labels as pairs, by row."""

    images: Any
    labels: Any

    def __getitem__(self, row: int) -> tuple[Any, Any]:
        return self.images[row], self.labels[row]


@dataclass(frozen=True)
class RawImages:
    """Images of one split as they are stored, with labels.

    Args:
        items: gives a pair for each row: what a `View` can open, and a label (a number, or a vector of them).
        rows: which of the items belong to the split.
        label_names: of the classes that a label counts, or of the entries of a label vector.
        names: of the items, for the list of rejected ones; their row numbers if left out.
    """

    items: Any
    rows: np.ndarray
    label_names: Sequence[str] = ()
    names: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def limited(self, limit: int | None) -> "RawImages":
        """Choose `limit` of the images, the same each time and from everywhere; all of them for None."""
        if limit is None or limit >= len(self):
            return self
        chosen = np.random.default_rng(0).permutation(len(self))[:limit]
        return replace(self, rows=self.rows[np.sort(chosen)])


class Decoded(NamedTuple):
    """An image (C, H, W) with its label, or the reason why there is none."""

    name: str
    pixels: np.ndarray | None = None
    label: Any = None
    is_grey: bool = False
    reason: str = ""


class Decoder(Dataset):
    """Decodes by row, so that it can run in the worker processes of a DataLoader."""

    def __init__(self, raw: RawImages, view: View) -> None:
        self.raw, self.view = raw, view

    def __getitem__(self, row: int) -> Decoded:
        name = self.raw.names[row] if self.raw.names else f"image {row}"
        try:
            source, label = self.raw.items[row]
            pixels, is_grey = self.view(source)
        except (UsageError, Image.DecompressionBombWarning) as error:
            return Decoded(name, reason=str(error))
        except Exception as error:  # decoders raise what they like, and one bad file must not end the run
            return Decoded(name, reason=f"{type(error).__name__}: {error}")
        return Decoded(name, pixels, label, is_grey)


def decode(raw: RawImages, view: View, n_workers: int | None, title: str) -> Generator[list[Decoded]]:
    """Decode a split in the order of its rows, under a progress bar.

    `n_workers` is None for as many processes as there are cores, or none for few images.
    """
    if n_workers is None:
        n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        n_workers = 0 if len(raw) < FEW else n_cores
    loader = DataLoader(
        Decoder(raw, view),
        batch_size=CHUNK,
        sampler=raw.rows.tolist(),
        collate_fn=list,  # arrays travel through pipes: shared memory is scarce in containers
        num_workers=n_workers,
        generator=torch.Generator(),  # or the loader draws from PyTorch's global one
    )
    with blocked():  # a signal is for this process, which ends its workers
        chunks = iter(loader)
    out = console()
    yield from track(chunks, escape(title), total=len(loader), console=out, disable=not out.is_terminal)
