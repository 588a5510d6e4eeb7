"""From one code to another."""

from typing import Literal

import torch
from torch import Generator, Tensor

from genlab.bounds import AtLeastTwo, PositiveInt
from genlab.errors import UsageError
from genlab.modes.inputs import held_out_images
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
        format: None for that of the file's ending. `npz` holds the `codes` (n * steps, *latent_shape) too.
    """

    def __init__(
        self,
        n: PositiveInt = 8,
        steps: AtLeastTwo = 10,
        of: Literal["prior", "data"] = "prior",
        path: Literal["linear", "spherical"] = "spherical",
        format: Literal["png", "npz"] | None = None,
    ) -> None:
        self.n, self.steps, self.of, self.path, self.format = n, steps, of, path, format

    def __call__(self, run: LoadedRun, generator: Generator) -> Sheet:
        start, end = self._ends(run, generator).chunk(2)
        shares = torch.linspace(0, 1, self.steps, device=start.device)
        between = torch.lerp if self.path == "linear" else slerp
        codes = torch.stack([between(start, end, share) for share in shares], 1).flatten(0, 1)
        columns = [f"{share:.0%}" for share in shares]
        return Sheet(run.model.decode(codes), self.steps, columns=columns, arrays={"codes": codes.cpu()})

    def _ends(self, run: LoadedRun, generator: Generator) -> Tensor:
        """The first code of each path, then the last of each."""
        if self.of == "prior":
            return run.model.prior(2 * self.n, generator)
        if reason := needs_encoder(run):
            raise UsageError(f"mode.of=data needs {reason}: type mode.of=prior.")
        images = held_out_images(run, 2 * self.n)
        return run.model.encode(images[: len(images) // 2 * 2])


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
