"""Images in rows and columns, with what stands beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from genlab.images import grey_to_rgb, to_uint8

FONT_SIZE, GAP = 13, 4  # pixels
SIDE = 512  # small images are enlarged by a whole factor until the sheet is about so large


@dataclass
class Sheet:
    """Images in rows and columns.

    Args:
        images: (N, C, H, W) in [-1, 1], row by row.
        n_columns: of each row.
        rows: a text before each row; nothing for none.
        columns: a text above each column; nothing for none.
        captions: a text below each image; nothing for none.
        title: a text above all.
        arrays: what an `.npz` holds beside `images`, (N, H, W, C) uint8.
    """

    images: Tensor
    n_columns: int
    rows: Sequence[str] = ()
    columns: Sequence[str] = ()
    captions: Sequence[str] = ()
    title: str = ""
    arrays: Mapping[str, Any] = field(default_factory=dict)

    def write(self, file: BinaryIO, ending: str) -> None:
        """Write a picture, or the arrays as an `.npz`."""
        if ending == ".npz":
            arrays: dict[str, Any] = {name: np.asarray(value) for name, value in self.arrays.items()}
            np.savez_compressed(file, images=_levels(self.images), **arrays)
        else:
            self.picture().save(file, format=Image.registered_extensions()[ending])

    def picture(self) -> Image.Image:
        """The sheet as one RGB picture; black text on white, if there is text."""
        pixels, font, line = _levels(grey_to_rgb(self.images)), ImageFont.load_default(FONT_SIZE), FONT_SIZE + GAP
        n_rows = -(-len(pixels) // self.n_columns)
        words = [font.getlength(text) + GAP for text in (*self.columns, *self.captions)]
        width, height = self._enlarged(pixels, n_rows, max(words, default=0))
        left = GAP + int(max((font.getlength(text) + GAP for text in self.rows), default=0))
        across, above = width + GAP, line * bool(self.title)
        top = [GAP + above + line * bool(self.columns)]  # of each row
        for row in range(0, len(pixels), self.n_columns):
            top.append(top[-1] + height + GAP + line * any(self.captions[row : row + self.n_columns]))
        has_text = self.title or self.rows or self.columns or self.captions
        wide = max(left + self.n_columns * across, int(font.getlength(self.title)) + 2 * GAP)
        sheet = Image.new("RGB", (wide, top[-1]), "white" if has_text else "gray")
        write = partial(ImageDraw.Draw(sheet).text, fill="black", font=font)
        write((GAP, GAP // 2), self.title)
        for n, image in enumerate(pixels):
            x, y = left + n % self.n_columns * across, top[n // self.n_columns]
            sheet.paste(Image.fromarray(image).resize((width, height), Image.Resampling.NEAREST), (x, y))
            if self.captions:
                write((x, y + height), self.captions[n])
        for n, text in enumerate(self.columns):
            write((left + n * across, above + GAP // 2), text)
        for y, text in zip(top, self.rows, strict=False):
            write((GAP, y + height // 2), text, anchor="lm")
        return sheet

    def _enlarged(self, pixels: np.ndarray, n_rows: int, widest: float) -> tuple[int, int]:
        """Width and height of each image: a whole multiple, so that its texts have room."""
        height, width = pixels.shape[1:3]
        factor = max(1, round(SIDE / max(n_rows * height, self.n_columns * width)), ceil(widest / width))
        return factor * width, factor * height


def _levels(images: Tensor) -> np.ndarray:
    """Images (N, C, H, W) in [-1, 1] as (N, H, W, C) uint8."""
    return to_uint8(images.detach().cpu()).permute(0, 2, 3, 1).contiguous().numpy()
