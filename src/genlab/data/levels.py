"""Images of any colour mode as grey or RGB of 8 bits."""

import numpy as np
from PIL import Image, ImageColor

from genlab.errors import UsageError

WHITE = 65535  # of 16 bits


def eight_bits(
    image: Image.Image, is_cut: bool, background: str, mode: str, white_level: int | None
) -> tuple[Image.Image, int | None]:
    """Bring an image to mode L or RGB, transparent pixels composed on the background.

    Args:
        image: a decoded one.
        is_cut: whether Pillow has kept the upper 8 of 16 bits of each level, as it does in colour.
        background: a colour.
        mode: L or RGB.
        white_level: the level that is shown as white where a level has more than 8 bits; None for 65535.

    Returns:
        The image, and the highest level that a file of 16 bits holds; None for other files.

    Raises:
        UsageError: if nothing says which level is white.
    """
    highest = None
    if image.mode.startswith("I") or image.mode == "F":
        image, highest = _scaled(image, white_level)
    elif is_cut:
        image, highest = _stretched(image, white_level)
    if image.has_transparency_data:
        canvas = Image.new("RGBA", image.size, ImageColor.getcolor(background, "RGBA"))
        image = Image.alpha_composite(canvas, image.convert("RGBA"))
    if Image.getmodebase(image.mode) == "RGB" and image.mode != "RGB":
        image = image.convert("RGB")  # palettes, CMYK and others have no luma of their own
    return image if image.mode == mode else image.convert(mode), highest


def _scaled(image: Image.Image, white_level: int | None) -> tuple[Image.Image, int]:
    """One channel of integers or floating-point numbers."""
    levels = np.asarray(image)
    low, high = levels.min(), levels.max()
    if (white_level is None and (image.mode == "F" or low < 0 or high > WHITE)) or not np.isfinite(levels).all():
        kind = "floating-point" if image.mode == "F" else "32-bit"
        raise UsageError(f"{kind} levels of unknown range: data.white_level=N says which one is white")
    share = (levels / (white_level or WHITE)).clip(0, 1)
    return Image.fromarray((255 * share).round().astype(np.uint8)), int(high)


def _stretched(image: Image.Image, white_level: int | None) -> tuple[Image.Image, int]:
    """Several channels, of which 8 bits are left; the last one of LA and RGBA is no colour."""
    bands = list(image.split())
    n_colours = len(bands) - (image.mode in ("LA", "RGBA"))
    highest = 257 * max(int(band.getextrema()[1]) for band in bands[:n_colours])  # type: ignore[arg-type]
    if white_level is not None:
        table = [min(255, round(255 * 257 * level / white_level)) for level in range(256)]
        bands[:n_colours] = [band.point(table) for band in bands[:n_colours]]
        image = Image.merge(image.mode, bands)
    return image, highest
