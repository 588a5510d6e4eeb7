"""What part of an image is shown, and at what size."""

from io import BytesIO

import numpy as np
import pytest
from layouts import photographs
from PIL import Image

from genlab.data.view import View

RGB = Image.fromarray(photographs(1, 32, 32)[0])
GREY = RGB.convert("L")


def seen(source, channels: int = 3, size: int = 32, **options) -> np.ndarray:
    return View(size, channels, **options)(source)[0]


WIDE = Image.fromarray(np.repeat(np.arange(0, 240, 2, dtype=np.uint8)[None], 40, 0))  # 120 x 40, brighter to the right


def test_cover_shows_the_central_square():
    columns = seen(WIDE, channels=1, size=40)[0, 0].tolist()
    assert columns == list(range(80, 160, 2))


def test_crop_center_is_the_central_square_whatever_the_fit():
    square = seen(WIDE, channels=1, size=40)
    for fit in ("cover", "contain", "stretch"):
        assert (seen(WIDE, channels=1, size=40, crop="center", fit=fit) == square).all()


def test_contain_shows_all_of_it_on_the_background():
    pixels = seen(WIDE, channels=1, size=60, fit="contain", background="white")[0]
    assert (pixels[:20] == 255).all()
    assert (pixels[40:] == 255).all()
    assert pixels[30, 0] < 5
    assert pixels[30, -1] > 230


def test_stretch_shows_all_of_it_distorted():
    pixels = seen(WIDE, channels=1, size=60, fit="stretch")[0]
    assert (pixels[0] == pixels[-1]).all()
    assert pixels[0, 0] < 5
    assert pixels[0, -1] > 230


@pytest.mark.parametrize(("crop", "first"), [(20, 100), ([20, 20], 100), ([40, 20], 100), ([10, 60], 60)])
def test_a_crop_in_pixels_is_the_middle_of_the_original(crop, first):
    pixels = seen(WIDE, channels=1, size=60, crop=crop, fit="stretch")[0]
    assert pixels[0, 0] == pytest.approx(first, abs=1)


def test_a_crop_takes_no_more_than_there_is():
    assert (seen(WIDE, channels=1, size=40, crop=500) == seen(WIDE, channels=1, size=40)).all()


def test_resizing_is_antialiased():
    stripes = Image.fromarray(np.tile(np.array([0, 255], dtype=np.uint8), (64, 32)))
    assert np.abs(seen(stripes, channels=1, size=8).astype(int) - 127).max() <= 2
    assert set(np.unique(seen(stripes, channels=1, size=8, filter="nearest"))) <= {0, 255}


def test_a_jpeg_decoded_at_a_reduced_size_shows_the_same():
    large = RGB.resize((1600, 1200), Image.Resampling.BICUBIC)
    buffer = BytesIO()
    large.save(buffer, "JPEG", quality=95)
    reduced, whole = seen(buffer.getvalue()), seen(large)
    assert np.abs(reduced.astype(float) - whole).mean() < 1.5


def test_an_array_of_the_right_size_passes_unchanged():
    pixels = np.asarray(GREY)
    assert (seen(pixels, channels=1)[0] == pixels).all()
