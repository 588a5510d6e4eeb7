"""Images to start from: of the data set, or any that are typed."""

import logging
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from genlab.conditioning import given
from genlab.data.derived import binarized, centre
from genlab.data.files import find_files
from genlab.data.view import View, opened
from genlab.errors import UsageError, one_line
from genlab.images import to_float
from genlab.modes.labels import Label, labels_of_images, labels_of_strangers
from genlab.protocols import LoadedRun

log = logging.getLogger(__name__)

BATCH_SIZE = 100


def held_out_images(run: LoadedRun, n: int) -> Tensor:
    """At most n test images (n, C, H, W) in [-1, 1] from all over the split, on the model's device."""
    return to_float(run.datamodule.examples("test", n).to(run.model.device))


def images_and_labels(run: LoadedRun, path: str | None, n: int, label: Label = None) -> tuple[Tensor, Tensor | None]:
    """Images (n, C, H, W) in [-1, 1], of the test split or read from a path, with the labels that the model takes."""
    if path:
        x = read_images(run, path, n)
        return x, labels_of_strangers(run, len(x), label)
    return held_out_images(run, n), labels_of_images(run, "test", run.datamodule.example_rows("test", n), label)


def held_out_image(run: LoadedRun, number: int) -> Tensor:
    """One test image (1, C, H, W) in [-1, 1], on the model's device.

    Raises:
        UsageError: if there are fewer.
    """
    images = run.datamodule.images("test")
    if number >= len(images):
        raise UsageError(f"mode.image={number} is not possible: the test images are those from 0 to {len(images) - 1}.")
    return to_float(images[number : number + 1].to(run.model.device))


def spread(mask: Tensor, most: int) -> Tensor:
    """Row numbers of at most so many images of a mask (N,), from all over it."""
    rows = mask.nonzero()[:, 0]
    n = min(most, len(rows))
    return rows[torch.arange(n) * len(rows) // max(n, 1)]


def encode(run: LoadedRun, split: str, rows: Tensor) -> Tensor:
    """The codes (n, *latent_shape) of images of a split by their row numbers (n,), on the model's device."""
    images, model = run.datamodule.images(split), run.model
    parts = [
        model.encode(to_float(images[part].to(model.device)), **given(labels_of_images(run, split, part)))
        for part in rows.split(BATCH_SIZE)
    ]
    return torch.cat(parts)


def fitted(data: Any, source: Any) -> Tensor:
    """Show what a `View` takes as an `ImageDataModule` shows its own in evaluation: uint8 (C, size, size)."""
    view = View(data.random_crop or data.size, data.channels, **getattr(data.source, "view_options", {}))
    return centre(torch.tensor(view(source)[0]), data.size)


def read_images(run: LoadedRun, path: str, n: int) -> Tensor:
    """Read the first n images of a folder or a .zip file, or one image, cropped and resized as the data set's are.

    Returns:
        (n, C, H, W) in [-1, 1], on the model's device.

    Raises:
        UsageError: if there is no image, or one that can't be read.
    """
    data = run.datamodule
    root = Path(path).expanduser()
    files = [root] if root.is_file() and root.suffix.lower() != ".zip" else find_files(root, "mode.input")
    n = min(n, 1 if isinstance(files, list) else len(files.names))
    shown, sizes = [], set()
    for row in range(n):
        try:
            with opened(files[row]) as image:
                sizes.add(image.size)
                shown.append(fitted(data, image))
        except Exception as error:
            name = root if isinstance(files, list) else root / files.names[row]
            raise UsageError(f"mode.input={name} can't be read as an image: {one_line(error)}") from error
    if sizes - {(data.size, data.size)}:
        log.info("Images of other sizes than %dx%d pixels are fitted as those of the data set are.", *[data.size] * 2)
    images = torch.stack(shown)
    if data.binarize:
        images = binarized(images, Generator().manual_seed(data.seed))
    return to_float(images.to(run.model.device))
