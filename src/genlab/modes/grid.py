"""Samples in rows and columns."""

from typing import Literal

from torch import Generator

from genlab.bounds import NonNegativeFloat, PositiveInt
from genlab.errors import UsageError
from genlab.modes.mode import Mode
from genlab.modes.sheet import Sheet
from genlab.protocols import HasDensity, LoadedRun
from genlab.sampling import decode_codes


class Grid(Mode):
    """Samples, as they are scored.

    Args:
        n: how many.
        n_columns: of a row.
        temperature: codes of the prior are multiplied by it; below 1 samples are more typical and less diverse.
        noise: draw from p(x | z) in place of its mean.
        format: None for that of the file's ending. `npz` holds the `codes` (n, *latent_shape) too.
    """

    def __init__(
        self,
        n: PositiveInt = 64,
        n_columns: PositiveInt = 8,
        temperature: NonNegativeFloat = 1.0,
        noise: bool = False,
        format: Literal["png", "npz"] | None = None,
    ) -> None:
        self.n, self.n_columns, self.temperature, self.noise, self.format = n, n_columns, temperature, noise, format

    def __call__(self, run: LoadedRun, generator: Generator) -> Sheet:
        model = run.model
        if self.noise and not isinstance(model, HasDensity):
            raise UsageError(f"mode.noise=true draws from p(x|z), which {type(model).__name__} has not: leave it out.")
        codes = self.temperature * model.prior(self.n, generator)
        images = model.draw(codes, generator) if self.noise else decode_codes(model, run.datamodule, codes, generator)
        return Sheet(images, min(self.n, self.n_columns), arrays={"codes": codes.cpu()})
