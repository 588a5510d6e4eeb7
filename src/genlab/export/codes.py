"""The codes of a data set, as features for other programs."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genlab.conditioning import given, labels_for
from genlab.data.datamodule import SPLITS, ImageDataModule
from genlab.distributed import in_batches
from genlab.images import to_float

BATCH = 100  # images at a time


@torch.no_grad()
def write_codes(model: Any, data: ImageDataModule, path: Path) -> None:
    """Write `SPLIT_codes` (N, *latent_shape) and `SPLIT_labels` (N,) or (N, entries) of all splits as an `.npz`.

    Args:
        model: fulfils `protocols.Reconstructs`.
        data: whose images are taken in their order, as evaluation shows them.
        path: the file.
    """
    arrays: dict[str, Any] = {}
    for split in SPLITS:
        images = data.images(split)
        told = labels_for(model, data.labels(split))

        def work(_: int, rows: slice, images: Any = images, told: Tensor | None = told) -> Tensor:
            y = given(None if told is None else told[rows])
            codes: Tensor = model.encode(to_float(images[rows].to(model.device)), **y)
            return codes.cpu()

        codes = [torch.empty(0, *model.latent_shape), *in_batches(work, len(images), BATCH)]
        arrays[f"{split}_codes"] = torch.cat(codes).numpy()
        arrays[f"{split}_labels"] = data.labels(split).numpy()
    np.savez_compressed(path, **arrays)
