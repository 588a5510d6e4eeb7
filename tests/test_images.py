"""The one conversion path."""

import pytest
import torch
from PIL import Image

from genlab.images import grey_to_rgb, grid, resized, save_picture, to_float, to_uint8, with_channels


def test_all_256_levels_survive_the_way_to_float_and_back():
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(to_float(levels)), levels)


def test_black_is_minus_one_and_white_is_plus_one():
    assert to_float(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-1.0, 1.0]


def test_values_outside_of_the_range_are_clamped_and_not_wrapped():
    assert to_uint8(torch.tensor([-3.0, 3.0])).tolist() == [0, 255]


def test_each_level_has_its_number_and_what_lies_just_outside_is_the_nearest_end():
    """A level is 2 / 255 wide; half a level beyond an end is where rounding alone would leave the range."""
    level = 2 / 255
    levels = to_float(torch.tensor([1, 127, 128], dtype=torch.uint8))
    assert levels.tolist() == pytest.approx([level - 1, -1 / 255, 1 / 255], abs=1e-6)
    assert to_uint8(torch.tensor([-1 - 0.6 * level, 1 + 0.6 * level, -1 + level, 1 - level])).tolist() == [
        0,
        255,
        1,
        254,
    ]


def test_half_a_level_is_rounded_and_not_truncated():
    just_below_level_one = torch.tensor([0.9 / 127.5 - 1.0])
    assert to_uint8(just_below_level_one).item() == 1


def test_grey_from_colour_is_luma():
    red = torch.tensor([200, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1)
    assert abs(with_channels(red, 1).item() - 0.299 * 200) < 1


@pytest.mark.parametrize(("channel", "share"), [(0, 0.299), (1, 0.587), (2, 0.114)])
def test_each_colour_has_its_share_of_the_luma(channel, share):
    colour = torch.zeros(1, 3, 1, 1, dtype=torch.uint8)
    colour[0, channel] = 250
    assert with_channels(colour, 1).item() == pytest.approx(share * 250, abs=1)
    assert with_channels(colour, 3) is colour


def test_colour_from_grey_repeats_it():
    grey = torch.full((2, 1, 3, 3), 7, dtype=torch.uint8)
    assert torch.equal(with_channels(grey, 3), torch.full((2, 3, 3, 3), 7, dtype=torch.uint8))
    assert grey_to_rgb(torch.zeros(1, 3, 2, 2)).shape == (1, 3, 2, 2)


def test_resizing_keeps_a_constant_image_and_its_type():
    constant = torch.full((1, 1, 28, 28), 93, dtype=torch.uint8)
    assert torch.equal(resized(constant, 17), torch.full((1, 1, 17, 17), 93, dtype=torch.uint8))


def test_a_grid_lays_images_out_row_by_row():
    first_white = torch.full((4, 1, 8, 8), -1.0)
    first_white[1] = 1.0
    picture = grid(first_white, n_columns=2)
    assert picture.shape == (3, 22, 22)  # two images of 8 and three lines of 2
    assert picture[0, 5, 15] == 1.0
    assert picture[0, 15, 5] == 0.0


def test_resizing_averages_over_all_pixels_that_a_smaller_one_covers_and_rounds():
    """Halving has the weights 1, 3, 3, 1 of eight; at the border those of three pixels, 3, 3, 1 of seven."""
    row = torch.tensor([0, 255, 0, 0, 100, 0, 0, 0], dtype=torch.uint8).expand(1, 1, 8, 8)
    assert resized(row, 4)[0, 0, 0].tolist() == [round(255 * 3 / 7), round((255 + 100) / 8), round(300 / 8), 0]
    assert resized(row, 8) is row


def test_a_grid_separates_by_two_mid_grey_pixels_and_shows_grey_in_three_channels():
    picture = grid(torch.full((3, 1, 4, 4), -1.0, requires_grad=True), n_columns=3)
    assert picture.shape == (3, 8, 20)
    assert not picture.requires_grad
    expected = torch.full((3, 8, 20), 0.5)
    for start in (2, 8, 14):
        expected[:, 2:6, start : start + 4] = 0
    assert torch.equal(picture, expected)
    assert grid(torch.full((1, 3, 4, 4), 0.2), n_columns=1)[:, 0, 0].tolist() == [pytest.approx(153 / 255)] * 3


@pytest.mark.parametrize(("height", "width", "factor"), [(10, 20, 25), (300, 100, 1), (600, 20, 1), (256, 256, 2)])
def test_a_small_picture_is_saved_enlarged_by_the_whole_factor_that_leaves_its_longer_side_within_512(
    height, width, factor, tmp_path
):
    picture = torch.zeros(3, height, width)
    picture[0, 0, 1] = 1
    save_picture(picture, tmp_path / "new" / "picture.png")
    with Image.open(tmp_path / "new" / "picture.png") as image:
        assert (image.format, image.size) == ("PNG", (factor * width, factor * height))
        assert [image.getpixel((x, 0)) for x in (factor - 1, factor, 2 * factor)] == [(0, 0, 0), (255, 0, 0), (0, 0, 0)]
        assert image.getpixel((factor, factor)) == (0, 0, 0)
