"""What the page asks of a run: codes as lists of numbers, images as Pillow's."""

from typing import Any

import torch
from PIL import Image
from torch import Generator, Tensor
from torchvision.transforms.v2.functional import to_pil_image

from genlab.bounds import N_DRAWS
from genlab.conditioning import condition_of, given
from genlab.conditions.condition import NONE
from genlab.data.derived import binarized
from genlab.evaluation.code_use import entry_name, measure_use
from genlab.images import to_float, to_uint8
from genlab.metrics import invert
from genlab.modes.inputs import fitted
from genlab.modes.interpolate import slerp
from genlab.modes.sheet import Sheet
from genlab.protocols import LoadedRun, Reconstructs
from genlab.sampling import decode_codes

FURTHEST = 3.0  # standard deviations of the prior, to which sliders go
STEPS = 8  # images from one to another
SIDE = 280  # pixels to which an image is enlarged, about
MOST_TEST_IMAGES = 100

Code = list[float]  # the entries of a code, in the order of memory


class Explorer:
    """A run that can be asked by several threads at once: nothing of it changes.

    Args:
        name: that stands above it.
        run: whose model is in evaluation mode.
        n_sliders: entries of the code that can be moved, the most used first.
        seed: of all noise.
    """

    def __init__(self, name: str, run: LoadedRun, n_sliders: int, seed: int = 0) -> None:
        self.name, self.model, self.data, self.seed = name, run.model, run.datamodule, seed
        mean, std = (moment.flatten() for moment in run.model.prior_moments())
        self.mean, self.std = mean.cpu(), std.cpu().clamp_min(1e-6)
        use = measure_use(self.model, self.data, Generator().manual_seed(seed))
        self.entries = use.order[:n_sliders]
        self.labels = [f"{entry_name(entry, run.model.latent_shape)}, {use.text(entry)}" for entry in self.entries]
        told = condition_of(self.model)
        self.examples: dict[str, Any] = {} if told is None else {**told.examples(), NONE: NONE}  # labels to choose from
        images = self.data.examples("test", MOST_TEST_IMAGES)
        self.test_images = [self._shown(to_float(image)) for image in images]
        is_dark = images.flatten().mode().values < 128
        self.background, self.ink = ("black", "#ffffff") if is_dark else ("white", "#000000")

    @property
    def canvas(self) -> Image.Image:
        """Nothing, to draw on."""
        return Image.new("RGB", self.test_images[0].size, self.background)

    @torch.no_grad()
    def sample(self, number: int) -> Code:
        """The code of a sample; another number, another sample."""
        code: Code = self.model.prior(1, Generator().manual_seed(self.seed + number))[0].flatten().tolist()
        return code

    @torch.no_grad()
    def picture(self, code: Code, label: str | None = None) -> Image.Image:
        """The image of a code, and of one of the `examples` of labels."""
        noise = Generator().manual_seed(self.seed)
        return self._shown(decode_codes(self.model, self.data, self._batch(code), noise, y=self._y(label, 1))[0])

    def deviations(self, code: Code) -> list[float]:
        """Where the sliders stand, in standard deviations of the prior."""
        far = ((torch.tensor(code) - self.mean) / self.std)[self.entries]
        return [round(value, 2) for value in far.clamp(-FURTHEST, FURTHEST).tolist()]

    def moved(self, code: Code, deviations: list[float]) -> Code:
        """A code after sliders have moved; an entry whose slider stands as it did keeps its value to the last digit."""
        moved = torch.tensor(code)
        for entry, before, now in zip(self.entries, self.deviations(code), deviations, strict=True):
            if now != before:
                moved[entry] = self.mean[entry] + now * self.std[entry]
        return moved.tolist()

    @torch.no_grad()
    def encode(self, image: Image.Image | None, label: str | None = None) -> tuple[Code, Image.Image, Image.Image]:
        """The code of an image, the image as the model sees it, and its reconstruction.

        An image is fitted as those of the data set are; None is an empty one. Without an encoder the code is the
        closest that is found, see `metrics.invert`.
        """
        levels = fitted(self.data, self._flat(image or self.canvas))[None]
        if self.data.binarize:
            levels = binarized(levels, Generator().manual_seed(self.seed))
        x = to_float(levels.to(self.model.device))
        y = given(self._y(label, 1))
        if isinstance(self.model, Reconstructs):
            z, x_hat = self.model.encode(x, **y), self.model.reconstruct(x, **y)
        else:
            z = invert(self.model.decode, x, self.model.prior(N_DRAWS, Generator().manual_seed(self.seed)), **y)
            x_hat = self.model.decode(z, **y)
        code: Code = z[0].flatten().tolist()
        return code, self._shown(x[0]), self._shown(x_hat[0])

    @torch.no_grad()
    def between(self, start: Code, end: Code, label: str | None = None) -> Image.Image:
        """Images on the way from one code to another, side by side."""
        shares = torch.linspace(0, 1, STEPS, device=self.model.device)[:, None]
        first, last = (self._batch(code).flatten(1).expand(STEPS, -1) for code in (start, end))
        codes = slerp(first, last, shares).unflatten(1, self.model.latent_shape)
        return Sheet(self.model.decode(codes, **given(self._y(label, STEPS))), STEPS).picture()

    def _y(self, label: str | None, n: int) -> Tensor | None:
        """One of the `examples`, n times; None if the model takes no labels."""
        if not self.examples:
            return None
        one: Tensor = self.model.condition.ask(self.examples[label or NONE], 1, Generator().manual_seed(self.seed))
        return one.expand(n, *one.shape[1:]).to(self.model.device)

    def _batch(self, code: Code) -> Tensor:
        return torch.tensor(code, device=self.model.device).view(1, *self.model.latent_shape)

    def _shown(self, image: Tensor) -> Image.Image:
        """An image (C, H, W) in [-1, 1], enlarged by a whole factor."""
        picture = to_pil_image(to_uint8(image.cpu()))
        factor = max(1, SIDE // picture.width)
        return picture.resize((factor * picture.width, factor * picture.height), Image.Resampling.NEAREST)

    def _flat(self, image: Image.Image) -> Image.Image:
        """On the colour that most of the data's pixels have, where it is transparent; not enlarged, if it had been."""
        drawn = image.convert("RGBA")
        flat = Image.alpha_composite(Image.new("RGBA", drawn.size, self.background), drawn).convert("RGB")
        factor = flat.width // self.data.size
        return flat.reduce(factor) if factor > 1 and flat.size == (factor * self.data.size,) * 2 else flat
