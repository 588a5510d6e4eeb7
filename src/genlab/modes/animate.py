"""Moving pictures: a run while it learnt, and a walk through its code space."""

from collections.abc import Iterator
from math import cos, pi
from pathlib import Path
from typing import ClassVar, Literal

import torch
from PIL import Image
from torch import Generator, Tensor

from genlab.bounds import AtLeastTwo, FrameRate, PositiveFloat, PositiveInt
from genlab.conditioning import given
from genlab.errors import UsageError, one_line
from genlab.foreign import Unreadable, own_file
from genlab.modes.film import Film, labelled
from genlab.modes.interpolate import slerp
from genlab.modes.labels import Label, labels_in_turn
from genlab.modes.mode import Mode
from genlab.modes.sheet import Sheet
from genlab.protocols import LoadedRun

MOST_PIXELS = 5 * 10**7  # of a picture; a small file may unfold to any size


class Animate(Mode):
    """A GIF or a video.

    Args:
        of: `walk`, samples on closed ways through the code space, or `training`, the pictures of the same noise that
            the run has left in `samples/`, a frame each.
        n: samples side by side.
        n_columns: of a row.
        stops: codes of the prior that each way joins.
        seconds: of the whole.
        fps: frames of a second of a walk; a GIF takes hundredths of a second.
        label: of a conditional model: a class by its number or name, or `{NAME: VALUE}`; None for those that training
            images have, in turn.
        format: None for that of the file's ending.
    """

    formats: ClassVar = ("gif", "mp4")

    def __init__(
        self,
        of: Literal["walk", "training"] = "walk",
        n: PositiveInt = 9,
        n_columns: PositiveInt = 3,
        stops: AtLeastTwo = 4,
        seconds: PositiveFloat = 6.0,
        fps: FrameRate = 15,
        label: Label = None,
        format: Literal["gif", "mp4"] | None = None,
    ) -> None:
        self.of, self.n, self.n_columns, self.stops = of, n, n_columns, stops
        self.seconds, self.fps, self.label, self.format = seconds, fps, label, format

    def __call__(self, run: LoadedRun, generator: Generator) -> Film:
        if self.of == "training":
            pictures = _saved_grids(run.checkpoint)
            return Film(lambda: map(_read, pictures), self.seconds / len(pictures))
        stops = run.model.prior(self.n * self.stops, generator).unflatten(0, (self.stops, self.n))
        codes, y = walk(stops, self._n_frames()), labels_in_turn(run, self.label, self.n, generator)

        kind = "L" if run.model.image_shape[0] == 1 else "RGB"  # a GIF has 256 colours, and all levels of grey

        def frames() -> Iterator[Image.Image]:
            for part in codes:
                with torch.no_grad():
                    yield Sheet(run.model.decode(part, **given(y)), min(self.n, self.n_columns)).picture().convert(kind)

        return Film(frames, 1 / self.fps)

    def _n_frames(self) -> int:
        return max(self.stops, round(self.seconds * self.fps))


def walk(stops: Tensor, n_frames: int) -> Tensor:
    """Go once around codes (S, B, *latent_shape), from each to the next on the arc between them, and back to the first.

    The way is slow at the stops and fast between them, as (1 - cos) / 2 rises from 0 to 1: it has no corners in time.

    Returns:
        (n_frames, B, *latent_shape): the first is the first stop, and the step from the last to it closes the loop.
    """
    codes = []
    for frame in range(n_frames):
        stop, share = divmod(frame * len(stops) / n_frames, 1)
        codes.append(slerp(stops[int(stop)], stops[(int(stop) + 1) % len(stops)], (1 - cos(pi * share)) / 2))
    return torch.stack(codes)


def _saved_grids(checkpoint: Path) -> list[Path]:
    """The pictures of a run folder, the oldest first."""
    folder = checkpoint.parent.parent
    found = sorted((folder / "samples").glob("epoch_*.png"), key=lambda path: (len(path.stem), path.stem))
    if checkpoint.parent.name != "checkpoints" or len(found) < 2:
        raise UsageError(
            f"mode.of=training needs two pictures or more in samples/ of a run folder, and {folder} has {len(found)}: "
            "type mode.of=walk, or train with callbacks.samples.every_n_epochs=1."
        )
    for path in found:
        try:
            own_file(folder, f"samples/{path.name}")
        except Unreadable as error:
            raise UsageError(f"{path} can't be shown: {error}.") from error
    return found


def _read(path: Path) -> Image.Image:
    """A picture with its epoch below."""
    try:
        with Image.open(path, formats=["PNG"]) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise ValueError(f"it has {opened.width} x {opened.height} pixels")
            picture = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:  # what Pillow raises for damaged files
        raise UsageError(f"{path} can't be read as an image: {one_line(error)}.") from error
    return labelled(picture, f"epoch {int(path.stem.removeprefix('epoch_'))}")
