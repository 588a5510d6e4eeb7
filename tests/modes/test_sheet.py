"""Images in rows and columns, pixel by pixel."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image, ImageFont

from genlab.modes.sheet import FONT_SIZE, GAP, SIDE, Sheet

LINE = FONT_SIZE + GAP
LEVELS = [40, 80, 120, 160, 200, 240]
GREY, WHITE = 128, 255


def sheet(n=6, n_columns=3, side=64, **texts):
    levels = torch.tensor(LEVELS[:n], dtype=torch.float32) / 127.5 - 1
    return Sheet(levels[:, None, None, None].expand(n, 1, side, side), n_columns, **texts)


def test_without_text_images_stand_a_gap_apart_on_grey():
    """Six images of 64 pixels, enlarged by round(512 / (3 * 64)) = 3."""
    pixels = np.asarray(sheet().picture().convert("L"))
    side = 3 * 64
    assert pixels.shape == (GAP + 2 * (side + GAP), GAP + 3 * (side + GAP))
    for n, level in enumerate(LEVELS):
        y, x = GAP + n // 3 * (side + GAP), GAP + n % 3 * (side + GAP)
        assert (pixels[y : y + side, x : x + side] == level).all()
        assert pixels[y - 1, x] == pixels[y, x - 1] == pixels[y + side, x] == pixels[y, x + side] == GREY


def test_title_columns_rows_and_captions_have_places_of_their_own():
    texts = {"rows": ["one", "two"], "columns": list("abc"), "captions": [""] * 3 + list("xyz"), "title": "All"}
    pixels = np.asarray(sheet(**texts).picture().convert("L"))
    side, left = 3 * 64, GAP + int(max(map(ImageFont.load_default(FONT_SIZE).getlength, ("one", "two"))) + GAP)
    top = [GAP + 2 * LINE, GAP + 2 * LINE + side + GAP]  # no captions below the first row
    assert pixels.shape == (top[1] + side + GAP + LINE, left + 3 * (side + GAP))
    for n, level in enumerate(LEVELS):
        y, x = top[n // 3], left + n % 3 * (side + GAP)
        assert (pixels[y : y + side, x : x + side] == level).all()
        assert pixels[y - 1, x + side - 1] == pixels[y, x + side] == WHITE
    dark = pixels < 100
    assert dark[:LINE].any()  # the title
    for n in range(3):
        x = left + n * (side + GAP)
        assert dark[LINE : LINE + LINE, x : x + 12].any()  # the columns
        assert dark[top[1] + side :, x : x + 12].any()  # the captions
    for y in top:
        assert dark[y + side // 2 - 8 : y + side // 2 + 8, :left].any()  # the rows
        assert not dark[y : y + side // 2 - 8, :left].any()


def test_an_image_is_enlarged_until_its_caption_has_room():
    caption = "twenty-five letters of it"
    picture = sheet(n=1, n_columns=1, side=8, captions=[caption]).picture()
    assert picture.width >= ImageFont.load_default(FONT_SIZE).getlength(caption)
    many = sheet(n=6, n_columns=6, side=32, captions=[caption] * 6).picture()
    assert many.width >= 6 * ImageFont.load_default(FONT_SIZE).getlength(caption)
    assert many.width > SIDE


def test_a_title_that_is_wider_than_the_images_is_not_cut():
    title = "a title " * 30
    assert sheet(n=1, n_columns=1, title=title).picture().width >= ImageFont.load_default(FONT_SIZE).getlength(title)


def test_a_last_row_may_be_short():
    pixels = np.asarray(sheet(n=4).picture().convert("L"))
    assert pixels[-GAP - 1, GAP] == LEVELS[3]
    assert pixels[-GAP - 1, -GAP - 1] == GREY


@pytest.mark.parametrize("channels", [1, 3])
def test_the_arrays_are_the_images_of_the_picture(channels, generator):
    images = torch.rand(2, channels, 8, 8, generator=generator) * 2 - 1
    drawn, content = Sheet(images, 2, arrays={"codes": torch.arange(4.0).view(2, 2)}), BytesIO()
    drawn.write(content, ".npz")
    content.seek(0)
    arrays = np.load(content)
    assert arrays["codes"].tolist() == [[0, 1], [2, 3]]
    assert arrays["images"].shape == (2, 8, 8, channels)
    assert arrays["images"].dtype == np.uint8
    pixels = np.asarray(drawn.picture())
    factor = SIDE // 16
    for n in range(2):
        x = GAP + n * (8 * factor + GAP)
        shown = pixels[GAP : GAP + 8 * factor : factor, x : x + 8 * factor : factor]
        assert (shown == arrays["images"][n]).all()  # grey ones in three equal channels


@pytest.mark.parametrize(("ending", "kind"), [(".png", "PNG"), (".jpg", "JPEG"), (".webp", "WEBP"), (".tiff", "TIFF")])
def test_a_picture_has_the_format_of_its_ending(ending, kind):
    content = BytesIO()
    sheet().write(content, ending)
    assert Image.open(content).format == kind
