"""One image file: colour modes, orientation, crops and sizes."""

import zlib
from io import BytesIO

import numpy as np
import pytest
from layouts import photographs
from PIL import Image

from genlab.data.view import View
from genlab.errors import UsageError

RGB = Image.fromarray(photographs(1, 32, 32)[0])
GREY = RGB.convert("L")


def encoded(image: Image.Image, form: str, **options) -> bytes:
    buffer = BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def seen(source, channels: int = 3, size: int = 32, **options) -> np.ndarray:
    return View(size, channels, **options)(source)[0]


def closeness(pixels: np.ndarray, image: Image.Image) -> float:
    """Mean difference in levels."""
    expected = np.asarray(image)
    expected = expected.transpose(2, 0, 1) if expected.ndim == 3 else expected[None]
    return float(np.abs(pixels.astype(float) - expected).mean())


LOSSLESS = {
    "png": encoded(RGB, "PNG"),
    "bmp": encoded(RGB, "BMP"),
    "tiff": encoded(RGB, "TIFF"),
    "webp": encoded(RGB, "WEBP", lossless=True),
    "ppm": encoded(RGB, "PPM"),
    "opaque alpha": encoded(RGB.convert("RGBA"), "PNG"),
}
LOSSY = {
    "jpeg": (encoded(RGB, "JPEG", quality=95), RGB, 4),
    "webp": (encoded(RGB, "WEBP", quality=95), RGB, 5),
    "palette": (encoded(RGB.quantize(256), "PNG"), RGB, 8),
    "gif": (encoded(RGB.quantize(256), "GIF"), RGB, 8),
    "cmyk jpeg": (encoded(RGB.convert("CMYK"), "JPEG", quality=95), RGB, 4),
    "grey jpeg": (encoded(GREY, "JPEG", quality=95), GREY.convert("RGB"), 3),
}


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_lossless_file_shows_its_own_pixels(name):
    assert closeness(seen(LOSSLESS[name]), RGB) == 0


@pytest.mark.parametrize("name", LOSSY)
def test_a_lossy_file_shows_nearly_the_pixels_it_was_made_of(name):
    content, image, tolerance = LOSSY[name]
    assert closeness(seen(content), image) < tolerance


def test_one_bit_becomes_black_and_white():
    bits = GREY.convert("1")
    assert closeness(seen(encoded(bits, "PNG"), channels=1), bits.convert("L")) == 0


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits_keep_their_range(form):
    levels = np.linspace(0, 65535, 32 * 32).astype(np.uint16).reshape(32, 32)
    pixels = seen(encoded(Image.fromarray(levels), form), channels=1)
    assert np.abs(pixels[0].astype(float) - levels / 257).max() <= 0.5


def colours_of_sixteen_bits(*levels: int) -> bytes:
    """Written by hand, as Pillow reads such a file but does not write one."""
    row = b"".join(level.to_bytes(2) for level in levels)
    raw = b"\0" + row * 8
    chunk = lambda name, data: len(data).to_bytes(4) + name + data + zlib.crc32(name + data).to_bytes(4)  # noqa: E731
    header = (8).to_bytes(4) + (8).to_bytes(4) + bytes([16, 2, 0, 0, 0])
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return content + chunk(b"IDAT", zlib.compress(raw * 8)) + chunk(b"IEND", b"")


def test_sixteen_bits_of_colour_keep_their_range_to_a_level():
    pixels = seen(colours_of_sixteen_bits(0, 32768, 65535), size=8)
    assert [int(channel.max()) for channel in pixels] == [0, 128, 255]
    assert [int(channel.min()) for channel in pixels] == [0, 128, 255]


@pytest.mark.parametrize(("background", "level"), [("white", 255), ("black", 0), ("#ff0000", (255, 0, 0))])
def test_transparent_pixels_show_the_background(background, level):
    clear = Image.new("RGBA", (32, 32), (10, 20, 30, 0))
    assert seen(encoded(clear, "PNG"), background=background).transpose(1, 2, 0)[0, 0].tolist() == list(
        np.broadcast_to(level, 3)
    )


def test_half_transparent_pixels_are_mixed_with_the_background():
    half = Image.new("RGBA", (32, 32), (0, 0, 0, 128))
    assert seen(encoded(half, "PNG"), background="white")[0, 0, 0] == pytest.approx(127, abs=1)


def test_a_transparent_colour_of_a_palette_or_a_grey_image_shows_the_background():
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([200, 0, 0, 0, 200, 0])
    grey = Image.new("L", (8, 8), 7)
    assert (seen(encoded(palette, "PNG", transparency=0), size=8) == 255).all()
    assert (seen(encoded(grey, "PNG", transparency=7), size=8, channels=1) == 255).all()


def test_only_the_first_frame_of_an_animation_is_seen():
    frames = [Image.new("L", (8, 8), level) for level in (10, 200)]
    moving = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (seen(moving, size=8, channels=1) == 10).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_shown_upright(orientation):
    """The inverse of each turn, done by hand, then tagged: all look alike in the end."""
    inverse = {
        1: lambda x: x,
        2: np.fliplr,
        3: lambda x: np.rot90(x, 2),
        4: np.flipud,
        5: lambda x: x.T,
        6: lambda x: np.rot90(x, 1),
        7: lambda x: np.rot90(x, 2).T,
        8: lambda x: np.rot90(x, -1),
    }[orientation]
    upright = np.asarray(GREY.crop((0, 0, 32, 20)))
    stored = Image.fromarray(np.ascontiguousarray(inverse(upright)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(stored, "PNG", exif=exif.tobytes())
    assert closeness(seen(content, channels=1, size=20, crop=[20, 20]), GREY.crop((6, 0, 26, 20))) == 0


def test_a_crop_of_four_numbers_says_where_it_lies():
    content = encoded(GREY, "PNG")  # 32 x 32
    assert closeness(seen(content, channels=1, size=12, crop=[12, 12, 5, 3]), GREY.crop((3, 5, 15, 17))) == 0
    assert closeness(seen(content, channels=1, size=12, crop=[12, 12, 99, 99]), GREY.crop((20, 20, 32, 32))) == 0


def test_damaged_exif_data_does_not_hide_an_image():
    content = encoded(RGB, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff nonsense")
    assert closeness(seen(content), RGB) < 8


def test_a_colour_image_as_grey_shows_its_luma():
    red = Image.new("RGB", (8, 8), (255, 0, 0))
    assert seen(red, channels=1, size=8)[0, 0, 0] == 76  # 0.299 * 255


@pytest.mark.parametrize(
    ("image", "is_grey"), [(GREY, True), (RGB, False), (GREY.convert("1"), True), (GREY.convert("LA"), True)]
)
def test_grey_images_are_told_from_coloured_ones(image, is_grey):
    assert View(8, 3)(image)[1] is is_grey


def test_a_truncated_file_is_refused():
    content = encoded(RGB.resize((300, 300)), "JPEG")
    with pytest.raises(OSError, match="truncated"):
        seen(content[: len(content) // 2])


@pytest.mark.parametrize("content", [b"", b"no image", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_what_is_no_image_of_a_known_format_is_refused(content):
    with pytest.raises(Image.UnidentifiedImageError):
        seen(content)


def sixteen_bits(highest: int) -> bytes:
    return encoded(Image.fromarray(np.linspace(0, highest, 64).round().astype(np.uint16).reshape(8, 8)), "PNG")


def test_the_level_that_is_white_can_be_said():
    assert seen(sixteen_bits(4095), 1, 8).max() == 16  # 4095 of 65535
    assert seen(sixteen_bits(4095), 1, 8, white_level=4095).max() == 255
    assert seen(sixteen_bits(4095), 1, 8, white_level=8190).max() == 128
    assert (seen(sixteen_bits(4095), 1, 8, white_level=100) == 255).sum() > 50  # what is brighter is cut off


@pytest.mark.parametrize("mode", ["I", "F"])
def test_levels_of_an_unknown_range_are_refused_with_the_key_that_gives_it(mode):
    image = Image.fromarray(np.linspace(-5, 70000, 64).reshape(8, 8).astype(np.int32 if mode == "I" else np.float32))
    with pytest.raises(UsageError, match=r"levels of unknown range: data\.white_level=N says"):
        seen(encoded(image, "TIFF"), 1, 8)
    assert seen(encoded(image, "TIFF"), 1, 8, white_level=70000).max() == 255


def test_sixteen_bits_of_colour_are_known_by_the_upper_eight_of_them():
    content = colours_of_sixteen_bits(0, 2048, 4095)
    assert [int(channel.max()) for channel in seen(content, size=8)] == [0, 8, 15]
    assert [int(channel.max()) for channel in seen(content, size=8, white_level=4095)] == [0, 128, 240]


@pytest.mark.slow
def test_a_large_image_is_let_in_by_its_number_of_pixels():
    content = encoded(Image.new("L", (40, 30), 7), "PNG")
    with pytest.raises(Image.DecompressionBombWarning, match=r"40 x 30 pixels .* 1199: data\.max_pixels=1200"):
        seen(content, max_pixels=1199)
    assert (seen(content, max_pixels=1200) == 7).all()
    huge = encoded(Image.new("1", (20_000, 10_000)), "PNG")  # beyond Pillow's error, not only beyond its warning
    assert (seen(huge, size=8, max_pixels=200_000_000, filter="nearest") == 0).all()
    assert Image.MAX_IMAGE_PIXELS == 89_478_485


def test_a_decompression_bomb_is_refused():
    """Ten thousand pixels square in a hundred kilobytes."""
    content = encoded(Image.new("1", (10_000, 10_000)), "PNG")
    assert len(content) < 100_000
    with pytest.raises(Image.DecompressionBombWarning):
        seen(content)


def test_levels_of_unknown_range_are_refused():
    with pytest.raises(ValueError, match="unknown range"):
        seen(encoded(Image.fromarray(np.ones((8, 8), np.float32)), "TIFF"))


def test_a_background_that_is_no_colour_is_refused():
    with pytest.raises(UsageError, match="background=whitish"):
        View(32, 3, background="whitish")
