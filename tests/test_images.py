"""The one conversion path."""

import torch

from genlab.images import grey_to_rgb, grid, resized, to_float, to_uint8, with_channels


def test_all_256_levels_survive_the_way_to_float_and_back():
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(to_float(levels)), levels)


def test_black_is_minus_one_and_white_is_plus_one():
    assert to_float(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-1.0, 1.0]


def test_values_outside_of_the_range_are_clamped_and_not_wrapped():
    assert to_uint8(torch.tensor([-3.0, 3.0])).tolist() == [0, 255]


def test_half_a_level_is_rounded_and_not_truncated():
    just_below_level_one = torch.tensor([0.9 / 127.5 - 1.0])
    assert to_uint8(just_below_level_one).item() == 1


def test_grey_from_colour_is_luma():
    red = torch.tensor([200, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1)
    assert abs(with_channels(red, 1).item() - 0.299 * 200) < 1


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
