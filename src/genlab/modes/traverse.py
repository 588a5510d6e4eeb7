"""What each entry of a code does to an image."""

from typing import Literal

import torch
from torch import Generator, Tensor

from genlab.bounds import AtLeastTwo, NonNegativeInt, PositiveInt
from genlab.conditioning import given
from genlab.errors import UsageError
from genlab.evaluation.code_use import entry_name, measure_use
from genlab.modes.inputs import held_out_image
from genlab.modes.labels import Label, array, labels_of_images, one_label
from genlab.modes.mode import Mode, needs_encoder
from genlab.modes.sheet import Sheet
from genlab.protocols import LoadedRun

FURTHEST = 3.0  # standard deviations


class Traverse(Mode):
    """A row for each entry of a code, the most used first: images while it alone goes from -3 to 3 deviations.

    The deviations are those of the prior, which for an AE is the Gaussian that fits its codes. How much an entry is
    used stands beside it, see `measure_use`.

    Args:
        n: how many of the entries.
        steps: images of a row.
        dims: the entries, in place of the most used ones; of a code of maps by their numbers in memory.
        of: around the mean of the prior (`origin`), or around the code of a test image (`data`).
        image: the number of the test image.
        label: of a conditional model: a class by its number or name, or `{NAME: VALUE}`; None for that of the test
            image, or one that is drawn.
        format: None for that of the file's ending. `npz` holds the `codes` (n * steps, latent_dim) too, and the `dims`
            and their `use`, (n,) each.
    """

    def __init__(
        self,
        n: PositiveInt = 10,
        steps: AtLeastTwo = 7,
        dims: list[NonNegativeInt] | None = None,
        of: Literal["origin", "data"] = "origin",
        image: NonNegativeInt = 0,
        label: Label = None,
        format: Literal["png", "npz"] | None = None,
    ) -> None:
        self.n, self.steps, self.dims, self.of, self.image = n, steps, dims, of, image
        self.label, self.format = label, format

    def __call__(self, run: LoadedRun, generator: Generator) -> Sheet:
        self._check_dims(run.model.latent_dim)
        around = f"test image {self.image}" if self.of == "data" else "the mean of the prior"
        shape, start = run.model.latent_shape, self._start(run)
        mean, std = (moment.flatten() for moment in run.model.prior_moments())
        use = measure_use(run.model, run.datamodule, generator)
        dims = self.dims or use.order[: self.n]
        deviations = torch.linspace(-FURTHEST, FURTHEST, self.steps, device=mean.device)
        codes = (mean if start is None else start).repeat(len(dims), self.steps, 1)
        for row, entry in zip(codes, dims, strict=True):
            row[:, entry] += std[entry] * deviations
        codes = codes.flatten(0, 1)
        y, said = self._label(run, generator)
        y = None if y is None else y.expand(len(codes), *y.shape[1:])
        return Sheet(
            run.model.decode(codes.unflatten(1, shape), **given(y)),
            self.steps,
            [f"{entry_name(entry, shape)}  {use.text(entry)}" for entry in dims],
            [f"{deviation:.2g}" for deviation in deviations.tolist()],
            title=f"Standard deviations from {around}, entry by entry{said}",
            arrays={"codes": codes.cpu(), "dims": dims, "use": use.values[dims], **array(y)},
        )

    def _start(self, run: LoadedRun) -> Tensor | None:
        """The code (latent_dim,) of a test image, if it is to be that."""
        if self.of == "origin":
            return None
        if reason := needs_encoder(run):
            raise UsageError(f"mode.of=data needs {reason}: type mode.of=origin.")
        y = labels_of_images(run, "test", torch.tensor([self.image]))
        return run.model.encode(held_out_image(run, self.image), **given(y))[0].flatten()

    def _label(self, run: LoadedRun, generator: Generator) -> tuple[Tensor | None, str]:
        if self.of == "data" and self.label is None:
            return labels_of_images(run, "test", torch.tensor([self.image])), ""
        return one_label(run, self.label, generator)

    def _check_dims(self, latent_dim: int) -> None:
        if strange := [entry for entry in self.dims or () if entry >= latent_dim]:
            raise UsageError(
                f"mode.dims={strange} is not possible: the codes of this run have the entries 0 to {latent_dim - 1}."
            )
