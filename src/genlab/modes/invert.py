"""What a decoder can make of given images at best."""

import logging
from typing import Literal

import torch
from torch import Generator, Tensor

from genlab.bounds import N_DRAWS, PositiveInt, Starts
from genlab.conditioning import given
from genlab.images import to_float, to_uint8
from genlab.metrics import invert, nearest_few, reconstruction_errors
from genlab.modes.inputs import images_and_labels
from genlab.modes.labels import Label
from genlab.modes.mode import Mode
from genlab.modes.sheet import Sheet
from genlab.protocols import LoadedRun

log = logging.getLogger(__name__)


class Invert(Mode):
    """Images, below each the closest one that the decoder was found to make, and the nearest training image.

    With the root mean squared error of both, in grey levels (0 to 255). Where the first is smaller the model reaches
    the image: it knows more than its training images by heart. See `genlab.metrics.invert` for the search, which takes
    a decoder alone, so that a GAN has reconstructions too.

    Args:
        n: how many.
        n_columns: of a row.
        input: a folder, a .zip file or an image in place of test images; fitted as the data set's are.
        starts: searches for each image, from those of 1,000 draws from the prior that look most like it.
        steps: of each search.
        label: of a conditional model: a class by its number or name, or `{NAME: VALUE}`; None for that of the image
            itself, or none for an `input`.
        format: None for that of the file's ending. `npz` holds the `codes` (n, *latent_shape) too, and both `errors`
            and `errors_of_training` (n,); the images are targets, then what was found, then training images.
    """

    def __init__(
        self,
        n: PositiveInt = 8,
        n_columns: PositiveInt = 8,
        input: str | None = None,
        starts: Starts = 4,
        steps: PositiveInt = 200,
        label: Label = None,
        format: Literal["png", "npz"] | None = None,
    ) -> None:
        self.n, self.n_columns, self.input = n, n_columns, input
        self.starts, self.steps, self.label, self.format = starts, steps, label, format

    def __call__(self, run: LoadedRun, generator: Generator) -> Sheet:
        model = run.model
        x, y = images_and_labels(run, self.input, self.n, self.label)
        codes = invert(model.decode, x, model.prior(N_DRAWS, generator), self.starts, self.steps, **given(y))
        found = model.decode(codes, **given(y))
        training = run.datamodule.images("train")
        distances, rows = nearest_few(to_uint8(x), training, 1)
        nearest = to_float(training[rows[:, 0].cpu()]).to(x)
        errors = 255 * reconstruction_errors(x, found).mse.sqrt()
        of_training = distances[:, 0] / x[0].numel() ** 0.5
        log.info(
            "Of %d images %d are reached: the model comes closer to them than the nearest training image does.",
            *(len(x), int((errors < of_training).sum())),
        )
        return self._sheet([x, found, nearest], errors.cpu(), of_training.cpu(), codes.cpu())

    def _sheet(self, kinds: list[Tensor], errors: Tensor, of_training: Tensor, codes: Tensor) -> Sheet:
        n_columns = min(self.n_columns, len(errors))
        n = len(errors) // n_columns * n_columns  # whole rows are kept
        images, captions = [], []
        texts = [[""] * n, *([f"{e:.1f}" for e in values] for values in (errors, of_training))]
        for start in range(0, n, n_columns):
            rows = slice(start, start + n_columns)
            images += [kind[rows] for kind in kinds]
            captions += [text for kind in texts for text in kind[rows]]
        names = ["image", "closest found", "training image"] * (n // n_columns)
        arrays = {"codes": codes[:n], "errors": errors[:n], "errors_of_training": of_training[:n]}
        return Sheet(torch.cat(images), n_columns, names, captions=captions, arrays=arrays)
