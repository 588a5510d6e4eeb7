"""Every image of a split decoded once, by several processes, with a progress bar."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column
from torch import Generator
from torch.utils.data import BatchSampler, DataLoader, Dataset

from genlab.console import console
from genlab.data.view import View
from genlab.errors import UsageError
from genlab.interrupts import blocked

CHUNK = 32  # images that a process decodes at a time
UNLABELLED = -1  # the label of an image that has none, or that entry of its labels
FEW = 1000  # images that are decoded sooner than further processes are started


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

    def name(self, row: int) -> str:
        """What to call an item."""
        return self.names[row] if self.names else f"image {row}"

    def limited(self, limit: int | None) -> "RawImages":
        """Choose `limit` of the images, the same each time and from everywhere; all of them for None."""
        if limit is None or limit >= len(self):
            return self
        chosen = np.random.default_rng(0).permutation(len(self))[:limit]
        return replace(self, rows=self.rows[np.sort(chosen)])


@dataclass
class Chunk:
    """Some decoded images (C, H, W), their labels, and what could not be decoded, with the reason."""

    images: list[np.ndarray] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)
    n_grey: int = 0
    highest_levels: list[int] = field(default_factory=list)  # of originals of 16 bits


@dataclass
class Decoded:
    """What is known of a split when all of it is decoded. The sums are over the levels of all images, by channel."""

    fingerprint: str = ""
    labels: list[Any] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)
    n_grey: int = 0
    highest_levels: list[int] = field(default_factory=list)
    n_pixels: int = 0
    total: Any = 0
    squares: Any = 0

    def add(self, chunk: Chunk, images: np.ndarray) -> None:
        """Count images (B, C, H, W) in."""
        self.labels += chunk.labels
        self.n_grey += chunk.n_grey
        self.highest_levels += chunk.highest_levels
        self.n_pixels += images[:, 0].size
        squares = np.multiply(images, images, dtype=np.uint16)  # 255 squared is below 2^16
        self.total += images.sum((0, 2, 3), dtype=np.int64)
        self.squares += squares.sum((0, 2, 3), dtype=np.int64)

    def moments(self) -> dict[str, list[float]]:
        """Mean and standard deviation of the levels of each channel, from 0 to 255; none without images."""
        if not self.n_pixels:
            return {"mean": [], "std": []}
        mean = self.total / self.n_pixels
        std = np.sqrt(self.squares / self.n_pixels - mean**2)
        return {"mean": mean.round(3).tolist(), "std": std.round(3).tolist()}


class Decoder(Dataset):
    """Indexed by chunks of rows, so that it can run in the worker processes of a DataLoader."""

    def __init__(self, raw: RawImages, view: View) -> None:
        self.raw, self.view = raw, view

    def __getitem__(self, rows: list[int]) -> Chunk:
        chunk = Chunk()
        for row in rows:
            try:
                source, label = self.raw.items[row]
                shown = self.view.show(source)
            except (UsageError, Image.DecompressionBombWarning) as error:
                chunk.rejected[self.raw.name(row)] = str(error)
            except Exception as error:  # decoders raise what they like, and one bad file must not end the run
                chunk.rejected[self.raw.name(row)] = f"{type(error).__name__}: {error}"
            else:
                chunk.images.append(shown.pixels)
                chunk.labels.append(label)
                chunk.n_grey += shown.is_grey
                chunk.highest_levels += [] if shown.highest_level is None else [shown.highest_level]
        return chunk


def decode(
    raw: RawImages, view: View, write: Callable[[np.ndarray], None], n_workers: int | None, title: str
) -> Decoded:
    """Decode a split in the order of its rows and hand the images (B, C, H, W) to `write`.

    Args:
        raw: the split.
        view: how the images are shown.
        write: takes uint8 images (B, C, H, W) as they come.
        n_workers: processes; None for as many as there are cores, or none for few images.
        title: of the progress bar.
    """
    if n_workers is None:
        n_workers = 0 if len(raw) < FEW else _n_cores()
    chunks = DataLoader(
        Decoder(raw, view),
        sampler=BatchSampler(raw.rows.tolist(), CHUNK, drop_last=False),
        batch_size=None,
        collate_fn=_unchanged,  # arrays travel through pipes: shared memory is scarce in containers
        num_workers=n_workers,
        generator=Generator(),  # or the loader draws from PyTorch's global one
    )
    result = Decoded()
    with blocked():  # workers: who is told to stop ends them
        decoded = iter(chunks)
    with _progress() as bar:
        task = bar.add_task(title, total=len(raw))
        for chunk in decoded:
            result.rejected |= chunk.rejected
            if chunk.images:
                images = np.stack(chunk.images)
                write(images)
                result.add(chunk, images)
            bar.advance(task, len(chunk.images) + len(chunk.rejected))
    return result


def _n_cores() -> int:
    """Cores that this process may use, where the system says so."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _unchanged(chunk: Any) -> Any:
    return chunk


def _progress() -> Progress:
    out, whole = console(), Column(no_wrap=True, overflow="ellipsis")
    title = TextColumn("{task.description}", markup=False, table_column=whole)
    columns = (title, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=out, disable=not out.is_terminal)
