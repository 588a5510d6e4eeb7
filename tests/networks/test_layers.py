"""Geometry and widths of the stages."""

from genlab.networks.layers import stage_sizes, stage_widths


def test_stages_halve_while_four_pixels_are_left():
    assert stage_sizes((1, 28, 28)) == [(28, 28), (14, 14), (7, 7)]
    assert stage_sizes((3, 64, 64))[-1] == (4, 4)
    assert stage_sizes((1, 15, 9)) == [(15, 9), (7, 4)]


def test_width_doubles_at_each_stage_up_to_its_maximum():
    assert stage_widths(4, width=8, max_width=20) == [8, 16, 20, 20]
