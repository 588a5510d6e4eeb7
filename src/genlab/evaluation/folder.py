"""Images of any other program, from a folder."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from genlab.data.files import find_files
from genlab.data.view import View, opened
from genlab.errors import UsageError


def folder_samples(root: Path, image_shape: tuple[int, int, int], n: int) -> tuple[Callable[[slice], Tensor], int]:
    """Read the images of a folder, or of a .zip file, as samples.

    Args:
        root: where they are, at any depth.
        image_shape: (C, H, W) of the data; colour and grey are converted into each other, sizes are not.
        n: how many to take at most, from all over the list of names.

    Returns:
        From rows to uint8 images (B, C, H, W), and how many there are.

    Raises:
        UsageError: if there are no images, or if one has another size than the data or can't be read.
    """
    channels, height, width = image_shape
    files = find_files(root, "images")
    n = min(n, len(files.names))
    chosen = [row * len(files.names) // n for row in range(n)]
    view = View(height, channels)

    def read(row: int) -> np.ndarray:
        name = files.names[row]
        try:
            with opened(files[row]) as image:
                size = image.size
                pixels, _ = view(image)
        except Exception as error:
            raise UsageError(f"{name} in images={root} can't be read: {' '.join(str(error).split())}") from error
        if size != (width, height):
            raise UsageError(
                f"{name} in images={root} has {size[0]}x{size[1]} pixels, and the data {width}x{height}: give images "
                "of the data's size, as resizing changes every score."
            )
        return pixels

    read(chosen[0])  # the most likely error, before anything takes long
    return lambda rows: torch.from_numpy(np.stack([read(row) for row in chosen[rows]])), n
