"""What a model generates, as it is scored and shown: one rule for all who measure or draw.

Where data are black and white (`data.binarize`) and a model's likelihood is one of black and white images, a sample is
a draw from p(x | z), and not the grey mean of it, which looks like none of them. All else is taken as it is decoded.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import torch
from torch import Generator, Tensor

from genlab.conditioning import condition_of, drawn_labels, given

MOST_ROWS = 20  # of a grid that shows what labels do
MOST_PIXELS = 2**21  # of images that are worked on together: 512 of 64 pixels a side, 32 of 256


def is_drawn(model: Any, data: Any) -> bool:
    """Whether the samples of a model are drawn from p(x | z), beside these data."""
    return bool(data.binarize) and getattr(getattr(model, "likelihood", None), "is_binary", False)


def kind(model: Any, data: Any) -> str | None:
    """What a protocol says of samples beside black and white data: `drawn` or `mean`; None beside grey ones."""
    return ("drawn" if is_drawn(model, data) else "mean") if data.binarize else None


@dataclass
class Sampler:
    """A map from rows to the samples (B, C, H, W) in [-1, 1] of codes, and of labels if the model takes any."""

    model: Any
    data: Any
    codes: Tensor
    labels: Tensor | None
    generator: Generator

    def __call__(self, rows: slice) -> Tensor:
        y = None if self.labels is None else self.labels[rows]
        first = rows.indices(len(self.codes))[0]
        return decode_codes(self.model, self.data, self.codes[rows], self.generator, first, y)


def sampler(model: Any, data: Any, n: int, generator: Generator) -> Sampler:
    """Draw n codes from the prior, and labels where a model takes any, as often as training images have them.

    Args:
        model: fulfils `protocols.Samples`.
        data: the `ImageDataModule`.
        n: number of samples.
        generator: gives codes and labels, and by its seed the noise of the pixels.
    """
    codes = model.prior(n, generator)
    return Sampler(model, data, codes, drawn_labels(model, n, generator), generator)


def label_rows(model: Any, n_columns: int, seed: int, temperature: float = 1.0) -> tuple[Tensor, Tensor, list[str]]:
    """Codes and labels of a grid that shows what labels do to a conditional model, row by row.

    In each of the first 20 rows at most stand the same codes with another label; what a label leaves open is the same
    in a column, as a training image has it.

    Returns:
        Codes (rows * columns, *latent_shape), their labels, and the name of each row.
    """
    examples = list(condition_of(model).examples().items())[:MOST_ROWS]
    codes = temperature * model.prior(n_columns, Generator().manual_seed(seed))
    drawn = model.condition.draw(n_columns, Generator().manual_seed(seed))
    y = [model.condition.put(label, drawn) for _, label in examples]
    return codes.repeat(len(y), *[1] * (codes.ndim - 1)), torch.cat(y), [name for name, _ in examples]


def decode_codes(
    model: Any, data: Any, codes: Tensor, generator: Generator, first: int = 0, y: Tensor | None = None
) -> Tensor:
    """Map codes (B, *latent_shape) to images (B, C, H, W) in [-1, 1], drawn from p(x | z) where samples are.

    Args:
        model: fulfils `protocols.Samples`.
        data: the `ImageDataModule`.
        codes: those of samples `first`, `first + 1`, ...
        generator: gives the noise of the pixels by its seed.
        first: number of the first.
        y: their labels, where the model takes any.
    """
    at_once = at_once_of(model.image_shape)
    labels = [None] * len(codes) if y is None else y.split(at_once)
    images = torch.cat(
        [model.decode(z, **given(label)) for z, label in zip(codes.split(at_once), labels, strict=False)]
    )
    return drawn(images, first, f"samples {generator.initial_seed()}") if is_drawn(model, data) else images


def at_once_of(image_shape: tuple[int, ...]) -> int:
    """How many images (C, H, W) a model works on together outside of training, so that large ones find room."""
    return max(1, MOST_PIXELS // (image_shape[1] * image_shape[2]))


def drawn(means: Tensor, first: int, stream: str) -> Tensor:
    """Draw black and white images, values -1 and 1, from their means (B, C, H, W) in [-1, 1].

    Args:
        means: (x + 1) / 2 is the probability of white.
        first: the number of the first image, to which its noise belongs.
        stream: of the noise, see `row_noise`.
    """
    noise = row_noise(stream, range(first, first + len(means)), tuple(means.shape[1:])).to(means)
    return 2 * (noise < 0.5 * (means + 1)).to(means) - 1


def row_noise(stream: str, rows: Iterable[int], shape: tuple[int, ...]) -> Tensor:
    """Draw from the uniform distribution on [0, 1): (B, *shape), the same however rows are divided into batches.

    Args:
        stream: other noise for each name.
        rows: numbers of B images, to which the noise belongs.
        shape: of the noise of a row.
    """
    generator, noise = Generator(), [torch.empty(0, *shape)]
    for row in rows:  # PyTorch's generator takes 32 bits of a seed
        noise.append(torch.rand(1, *shape, generator=generator.manual_seed(crc32(f"{stream} {row}".encode()))))
    return torch.cat(noise)
