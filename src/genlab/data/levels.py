"""Images of any colour mode as grey or RGB of 8 bits."""

import numpy as np
from PIL import Image, ImageColor

from genlab.errors import UsageError

WHITE = 65535  # of 16 bits


def eight_bits(image: Image.Image, is_cut: bool, background: str, mode: str, white_level: int | None) -> Image.Image:
    """Bring a decoded image to mode L or RGB, transparent pixels composed on the background.

    Args:
        is_cut: whether Pillow has kept the upper 8 of 16 bits of each level, as it does in colour.
        white_level: the level that is shown as white where a level has more than 8 bits; None for 65535.

    Raises:
        UsageError: if nothing says which level is white.
    """
    if image.mode.startswith("I") or image.mode == "F":
        image = _scaled(image, white_level)
    elif is_cut and white_level is not None:
        bands = image.getbands()
        colour = [min(255, round(255 * 257 * level / white_level)) for level in range(256)]
        image = image.point([level for band in bands for level in (range(256) if band == "A" else colour)])
    if image.has_transparency_data:
        canvas = Image.new("RGBA", image.size, ImageColor.getcolor(background, "RGBA"))
        image = Image.alpha_composite(canvas, image.convert("RGBA"))
    if Image.getmodebase(image.mode) == "RGB" and image.mode != "RGB":
        image = image.convert("RGB")  # palettes, CMYK and others have no luma of their own
    return image if image.mode == mode else image.convert(mode)


def _scaled(image: Image.Image, white_level: int | None) -> Image.Image:
    """One channel of integers or floating-point numbers."""
    levels = np.asarray(image)
    is_known = white_level is not None or (image.mode != "F" and levels.min() >= 0 and levels.max() <= WHITE)
    if not is_known or not np.isfinite(levels).all():
        kind = "floating-point" if image.mode == "F" else "32-bit"
        raise UsageError(f"{kind} levels of unknown range: data.white_level=N says which one is white")
    share = (levels / (white_level or WHITE)).clip(0, 1)
    return Image.fromarray((255 * share).round().astype(np.uint8))
