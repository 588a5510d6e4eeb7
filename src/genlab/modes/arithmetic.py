"""From one label to another, by adding to codes."""

from collections.abc import Mapping
from typing import Literal, TypedDict, Unpack

import torch
from torch import Generator, Tensor

from genlab.bounds import AtLeastTwo, PositiveFloat, PositiveInt
from genlab.conditioning import given
from genlab.data.labels import Group, label_columns, label_groups
from genlab.errors import UsageError, unknown
from genlab.images import to_float
from genlab.modes.inputs import encode, spread
from genlab.modes.labels import labels_of_images
from genlab.modes.mode import Mode, needs_encoder
from genlab.modes.sheet import Sheet
from genlab.protocols import LoadedRun

MOST_CODES = 1000  # of a label

Ends = TypedDict("Ends", {"from": str | None, "to": str | None}, total=False)


class Arithmetic(Mode):
    """Test images to whose codes the difference between the mean codes of two labels is added, in steps.

    A label is a class, an attribute, or a factor, which is true of the half of the images that have more of it. With
    `plus` the images that it is true of are held against all others, and it is added to test images that lack it. A
    conditional model is told the image's own label throughout: what is shown then is what the codes say besides.

    Args:
        plus: a label; None for the first one, if there are no two.
        n: how many test images.
        steps: images of a row besides the test image, its reconstruction first.
        scale: what is added in the last step, in whole differences.
        format: None for that of the file's ending. `npz` holds the `codes` (n, steps, *latent_shape) too, and the
            `direction` (*latent_shape).
        ends: `from` and `to`, two labels.

    Raises:
        UsageError: for one of `from` and `to` without the other, or for both and `plus`.
    """

    def __init__(
        self,
        plus: str | None = None,
        n: PositiveInt = 8,
        steps: AtLeastTwo = 6,
        scale: PositiveFloat = 1.0,
        format: Literal["png", "npz"] | None = None,
        **ends: Unpack[Ends],
    ) -> None:
        self.start, self.end = ends.get("from"), ends.get("to")
        if (self.start is None) != (self.end is None) or (self.start and plus):
            raise UsageError("mode=arithmetic takes two labels, mode.from=NAME mode.to=NAME, or one, mode.plus=NAME.")
        self.plus, self.n, self.steps, self.scale, self.format = plus, n, steps, scale, format

    why_not = staticmethod(needs_encoder)

    def __call__(self, run: LoadedRun, generator: Generator) -> Sheet:
        data = run.datamodule
        groups = label_groups(label_columns(data, "train+test"))
        n_train = len(data.labels("train"))
        masks = self._masks(groups)
        start, end = (encode(run, "train", _rows(mask[:n_train], "training", MOST_CODES)).mean(0) for mask in masks)
        rows = _rows(masks[0][n_train:], "test", self.n)
        x, y = to_float(data.images("test")[rows].to(run.model.device)), labels_of_images(run, "test", rows)
        shares = torch.linspace(0, self.scale, self.steps, device=x.device)
        codes = run.model.encode(x, **given(y))[:, None] + shares.view(-1, *[1] * start.ndim) * (end - start)
        told = given(None if y is None else y.repeat_interleave(self.steps, 0))
        made = run.model.decode(codes.flatten(0, 1), **told).unflatten(0, codes.shape[:2])
        return Sheet(
            torch.cat([x[:, None], made], 1).flatten(0, 1),
            self.steps + 1,
            columns=["image", *(f"{share:.0%}" for share in shares.tolist())],
            title=" ".join(self._title(groups).split()),
            arrays={"codes": codes.cpu(), "direction": (end - start).cpu()},
        )

    def _title(self, groups: Mapping[str, Group]) -> str:
        return f"From {self.start} to {self.end}" if self.start else f"Plus {self.plus or next(iter(groups))}"

    def _masks(self, groups: Mapping[str, Group]) -> tuple[Tensor, Tensor]:
        """Which images to start from, and which to go to."""
        if not groups:
            raise UsageError("mode=arithmetic needs labels, and the images of this run have none.")
        plus = self.plus or next(iter(groups))
        for key, name in {"from": self.start, "to": self.end}.items() if self.start else [("plus", plus)]:
            if name not in groups:
                raise UsageError(unknown(f"label for mode.{key}", str(name), list(groups)))
        if self.start and self.end:
            return groups[self.start].inside, groups[self.end].inside
        return groups[plus].outside, groups[plus].inside


def _rows(mask: Tensor, which: str, most: int) -> Tensor:
    """Row numbers of some of the images of a mask, of which there has to be one."""
    if not mask.any():
        raise UsageError(
            f"mode=arithmetic finds no {which} image that has the label, or none without it: choose another label."
        )
    return spread(mask, most)
