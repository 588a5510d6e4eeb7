"""How one image file becomes what a model sees: upright, of one colour mode, cropped and resized."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from math import ceil
from typing import Any, Literal

import numpy as np
from PIL import ExifTags, Image, ImageColor, ImageOps

from genlab.bounds import NonNegativeInt, PositiveInt
from genlab.command_line import typed
from genlab.data.levels import eight_bits
from genlab.errors import UsageError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
Box = tuple[PositiveInt, PositiveInt, NonNegativeInt, NonNegativeInt]  # height, width, top, left
Crop = Literal["none", "center"] | PositiveInt | tuple[PositiveInt, PositiveInt] | Box
Fit = Literal["cover", "contain", "stretch"]
Filter = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
MAX_PIXELS = 89_478_485  # Pillow's limit: what a small file may unpack to
REDUCING_GAP = 3.0  # larger images are first reduced cheaply to 3 times the size: as good as not, says Pillow


@dataclass(frozen=True)
class View:
    """What of an image is shown to a model, and how.

    Args:
        size: height and width of the result, in pixels.
        channels: 1 (ITU-R 601 luma) or 3 (RGB).
        crop: the central part of the upright original that is used: `none` for all of it, `center` for the largest
            square, or pixels, as 148 or (height, width); no more than there are. Four numbers say where it lies too:
            (height, width, top, left).
        fit: what happens to a part that is not square: `cover` cuts it to a square, `contain` pads it with the
            background, `stretch` distorts it.
        filter: Pillow's name of the resampling filter, all antialiased but `nearest`.
        background: colour under transparent pixels and around contained images: `white`, `#ff8000`, `rgb(0,0,0)`.
        white_level: the level that is shown as white in originals of more than 8 bits; None for 65535.
        max_pixels: larger originals are refused, as a small file may unpack to more than the memory holds; None for
            `MAX_PIXELS`.

    Raises:
        UsageError: for an impossible value.
    """

    size: int
    channels: int
    crop: Crop = "none"
    fit: Fit = "cover"
    filter: Filter = "bilinear"
    background: str = "white"
    white_level: int | None = None
    max_pixels: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.crop, str):
            box = (self.crop, self.crop) if isinstance(self.crop, int) else tuple(self.crop)
            object.__setattr__(self, "crop", box)
        try:
            ImageColor.getrgb(str(self.background))
        except ValueError:
            raise UsageError(
                f"data.background={self.background} is no colour: type a name such as white, or "
                f"{typed('data.background', '#ff8000')}."
            ) from None

    def __call__(self, source: Any) -> tuple[np.ndarray, bool]:
        """Show an image as uint8 (channels, size, size); also say whether it is a grey one.

        Args:
            source: a path, the bytes of a file, a Pillow image, or a uint8 array (H, W) or (H, W, 3).

        Raises:
            UsageError: if nothing says how bright its levels are.
            DecompressionBombWarning: if it is too large.
            Exception: whatever Pillow raises for a damaged, truncated or unknown image.
        """
        mode, limit = ("L" if self.channels == 1 else "RGB"), self.max_pixels or MAX_PIXELS
        with warnings.catch_warnings(), _any_size():
            warnings.simplefilter("ignore")  # Pillow comments on oddities that it copes with
            with opened(source) as image:
                if (n_pixels := image.width * image.height) > limit:
                    raise Image.DecompressionBombWarning(
                        f"{image.width} x {image.height} pixels are more than {limit}: data.max_pixels={n_pixels} lets "
                        "it in"
                    )
                is_cut = any(";16" in str(tile) for tile in getattr(image, "tile", ()))
                upright = self._load(image)
                is_grey = Image.getmodebase(upright.mode) == "L"
                pixels = np.asarray(self._resize(eight_bits(upright, is_cut, self.background, mode, self.white_level)))
        return np.ascontiguousarray(pixels[None] if self.channels == 1 else pixels.transpose(2, 0, 1)), is_grey

    def _load(self, image: Image.Image) -> Image.Image:
        """Decode, at a reduced size where JPEG allows it, and turn upright."""
        orientation = 1
        with suppress(Exception):  # damaged EXIF data does not make an image unusable
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        raw_width, raw_height = image.size
        width, height = (raw_height, raw_width) if orientation in (5, 6, 7, 8) else (raw_width, raw_height)
        if self.crop in ("none", "center"):  # sizes in pixels refer to the original
            _, (box_width, box_height), (shown_width, shown_height) = self._geometry(width, height)
            scale = REDUCING_GAP * max(shown_width / box_width, shown_height / box_height)
            image.draft(None, (ceil(raw_width * scale), ceil(raw_height * scale)))
        image.load()  # raises if it is truncated; a later load would show what there is
        return ImageOps.exif_transpose(image) if orientation in range(2, 9) else image

    def _resize(self, image: Image.Image) -> Image.Image:
        (left, top), (width, height), shown = self._geometry(*image.size)
        part = image.crop((left, top, left + width, top + height))
        resized = part.resize(shown, Image.Resampling[self.filter.upper()], reducing_gap=REDUCING_GAP)
        if shown == (self.size, self.size):
            return resized
        canvas = Image.new(image.mode, (self.size, self.size), ImageColor.getcolor(self.background, image.mode))
        canvas.paste(resized, ((self.size - shown[0]) // 2, (self.size - shown[1]) // 2))
        return canvas

    def _geometry(self, width: int, height: int) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        """Left and top, width and height of the part that is used, and the width and height that it is shown at."""
        box = self.crop if isinstance(self.crop, tuple) else (height, width)
        box_height, box_width = min(box[0], height), min(box[1], width)
        if self.crop == "center" or self.fit == "cover":
            box_height = box_width = min(box_height, box_width)
        corner = (round((width - box_width) / 2), round((height - box_height) / 2))
        if len(box) == 4:
            corner = (min(box[3], width - box_width), min(box[2], height - box_height))
        shown = (self.size, self.size)
        if self.fit == "contain":
            scale = self.size / max(box_width, box_height)
            shown = (max(1, round(box_width * scale)), max(1, round(box_height * scale)))
        return corner, (box_width, box_height), shown


@contextmanager
def _any_size() -> Iterator[None]:
    """Keep Pillow from judging sizes: what it allows is a global variable."""
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def opened(source: Any) -> Image.Image:
    """Open what a `View` takes, without decoding it yet."""
    if isinstance(source, Image.Image):
        return source
    if isinstance(source, np.ndarray):
        return Image.fromarray(source)
    return Image.open(BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS)
