"""Images above their reconstructions."""

from typing import Literal

from torch import Generator

from genlab.bounds import PositiveInt
from genlab.conditioning import given
from genlab.images import above
from genlab.metrics.reconstruction import reconstruction_errors
from genlab.modes.inputs import images_and_labels
from genlab.modes.labels import Label
from genlab.modes.mode import Mode, needs_encoder
from genlab.modes.sheet import Sheet
from genlab.protocols import LoadedRun


class Reconstruct(Mode):
    """Images above their reconstructions, with the root of each one's mean squared error, in grey levels (0 to 255).

    Args:
        n: how many.
        n_columns: of a row.
        input: a folder, a .zip file or an image in place of test images; fitted as the data set's are.
        label: of a conditional model: a class by its number or name, or `{NAME: VALUE}`; None for that of the image
            itself, or none for an `input`.
        format: None for that of the file's ending. `npz` holds the `errors` (n,) too, and rows of images and of their
            reconstructions in turn.
    """

    def __init__(
        self,
        n: PositiveInt = 24,
        n_columns: PositiveInt = 8,
        input: str | None = None,
        label: Label = None,
        format: Literal["png", "npz"] | None = None,
    ) -> None:
        self.n, self.n_columns, self.input, self.label, self.format = n, n_columns, input, label, format

    why_not = staticmethod(needs_encoder)

    def __call__(self, run: LoadedRun, generator: Generator) -> Sheet:
        x, y = images_and_labels(run, self.input, self.n, self.label)
        n_columns = min(self.n_columns, len(x))
        x_hat = run.model.reconstruct(x, **given(y))
        errors = 255 * reconstruction_errors(x, x_hat).mse.sqrt().cpu()
        pairs, blank = above(x, x_hat, n_columns), [""] * n_columns
        errors = errors[: len(pairs) // 2]  # whole rows are kept
        captions = [text for row in errors.split(n_columns) for text in (*blank, *(f"{e:.1f}" for e in row))]
        rows = ["image", "reconstruction"] * (len(pairs) // (2 * n_columns))
        return Sheet(
            pairs, n_columns, rows, captions=captions[: len(pairs)], arrays={"errors": errors[: len(pairs) // 2]}
        )
