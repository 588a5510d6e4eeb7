"""Samples in rows and columns."""

from typing import Literal

from torch import Generator, Tensor

from genlab.bounds import NonNegativeFloat, PositiveInt
from genlab.conditioning import condition_of, given
from genlab.errors import UsageError
from genlab.modes.labels import Label, array, labels
from genlab.modes.mode import Mode
from genlab.modes.sheet import Sheet
from genlab.protocols import HasDensity, LoadedRun
from genlab.sampling import decode_codes, label_rows


class Grid(Mode):
    """Samples, as they are scored.

    Args:
        n: how many.
        n_columns: of a row.
        temperature: codes of the prior are multiplied by it; below 1 samples are more typical and less diverse.
        noise: draw from p(x | z) in place of its mean.
        label: of a conditional model: a class by its number or name, or `{NAME: VALUE}`; None for a row for each label
            that training images have, with the same codes in each row.
        format: None for that of the file's ending. `npz` holds the `codes` (n, *latent_shape) too.
    """

    def __init__(
        self,
        n: PositiveInt = 64,
        n_columns: PositiveInt = 8,
        temperature: NonNegativeFloat = 1.0,
        noise: bool = False,
        label: Label = None,
        format: Literal["png", "npz"] | None = None,
    ) -> None:
        self.n, self.n_columns, self.temperature, self.noise, self.label, self.format = (
            n,
            n_columns,
            temperature,
            noise,
            label,
            format,
        )

    def __call__(self, run: LoadedRun, generator: Generator) -> Sheet:
        model = run.model
        if self.noise and not isinstance(model, HasDensity):
            raise UsageError(f"mode.noise=true draws from p(x|z), which {type(model).__name__} has not: leave it out.")
        rows: list[str] = []
        y: Tensor | None
        if condition_of(model) is not None and self.label is None:
            codes, y, rows = label_rows(model, self.n_columns, generator.initial_seed(), self.temperature)
        else:
            codes = self.temperature * model.prior(self.n, generator)
            y = labels(run, self.label, self.n, generator)
        if self.noise:
            images = model.draw(codes, generator, **given(y))
        else:
            images = decode_codes(model, run.datamodule, codes, generator, y=y)
        return Sheet(images, min(len(codes), self.n_columns), rows, arrays={"codes": codes.cpu(), **array(y)})
