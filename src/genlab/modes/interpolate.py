"""From one code to another."""

from typing import Literal

import torch
from torch import Generator, Tensor

from genlab.bounds import AtLeastTwo, PositiveInt
from genlab.conditioning import given
from genlab.errors import UsageError
from genlab.modes.inputs import held_out_images
from genlab.modes.labels import Label, array, labels_in_turn, labels_of_images
from genlab.modes.mode import Mode, needs_encoder
from genlab.modes.sheet import Sheet
from genlab.protocols import LoadedRun


class Interpolate(Mode):
    """Images along paths through the code space, one a row.

    Args:
        n: how many paths.
        steps: images of a path, its ends included.
        of: between codes of the `prior`, or of test images (`data`).
        path: `linear` or `spherical`, see `slerp`.
        label: of a conditional model: a class by its number or name, or `{NAME: VALUE}`; None for those that training
            images have, in turn, or of `data` that of the first image.
        format: None for that of the file's ending. `npz` holds the `codes` (n * steps, *latent_shape) too.
    """

    def __init__(
        self,
        n: PositiveInt = 8,
        steps: AtLeastTwo = 10,
        of: Literal["prior", "data"] = "prior",
        path: Literal["linear", "spherical"] = "spherical",
        label: Label = None,
        format: Literal["png", "npz"] | None = None,
    ) -> None:
        self.n, self.steps, self.of, self.path, self.label, self.format = n, steps, of, path, label, format

    def __call__(self, run: LoadedRun, generator: Generator) -> Sheet:
        ends, y = self._ends(run, generator)
        start, end = ends.chunk(2)
        y = None if y is None else y.repeat_interleave(self.steps, 0)
        shares = torch.linspace(0, 1, self.steps, device=start.device)
        between = torch.lerp if self.path == "linear" else slerp
        codes = torch.stack([between(start, end, share) for share in shares], 1).flatten(0, 1)
        columns = [f"{share:.0%}" for share in shares]
        images = run.model.decode(codes, **given(y))
        return Sheet(images, self.steps, columns=columns, arrays={"codes": codes.cpu(), **array(y)})

    def _ends(self, run: LoadedRun, generator: Generator) -> tuple[Tensor, Tensor | None]:
        """The first code of each path, then the last of each; and the labels of the paths."""
        if self.of == "prior":
            return run.model.prior(2 * self.n, generator), labels_in_turn(run, self.label, self.n, generator)
        if reason := needs_encoder(run):
            raise UsageError(f"mode.of=data needs {reason}: type mode.of=prior.")
        images = held_out_images(run, 2 * self.n)
        n = len(images) // 2
        y = labels_of_images(run, "test", run.datamodule.example_rows("test", 2 * self.n)[: 2 * n])
        codes = run.model.encode(images[: 2 * n], **given(y))
        return codes, labels_of_images(run, "test", run.datamodule.example_rows("test", 2 * self.n)[:n], self.label)


def slerp(start: Tensor, end: Tensor, share: float | Tensor) -> Tensor:
    """Go a share of the way from codes (B, *latent_shape) to others, on an arc (Shoemake 1985; White 2016).

    Draws of N(0, I) in d dimensions have a length of about sqrt(d), so almost all of its mass lies in a thin shell. The
    middle of a straight line between two independent ones has a length of sqrt(d / 2): the decoder has hardly seen
    such codes, and makes blurred or empty images of them. The arc stays in the shell. Codes that are parallel, which
    have no arc, are joined by a straight line.
    """
    cosine = torch.cosine_similarity(start.flatten(1), end.flatten(1), dim=1).view(-1, *[1] * (start.ndim - 1))
    angle = cosine.clamp(-1, 1).arccos()
    first, second = ((1 - share) * angle).sin() / angle.sin(), (share * angle).sin() / angle.sin()
    return torch.where(cosine.abs() > 1 - 1e-6, torch.lerp(start, end, share), first * start + second * end)
