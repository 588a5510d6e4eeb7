"""Geometry and widths of the stages."""

import pytest

from genlab.errors import UsageError
from genlab.networks.layers import stage_sizes, stage_widths


def test_stages_halve_while_four_pixels_are_left():
    assert stage_sizes((1, 28, 28)) == [(28, 28), (14, 14), (7, 7)]
    assert stage_sizes((3, 64, 64))[-1] == (4, 4)
    assert stage_sizes((1, 15, 9)) == [(15, 9), (7, 4)]


def test_width_doubles_at_each_stage_up_to_its_maximum():
    assert stage_widths(4, width=8, max_width=20) == [8, 16, 20, 20]


@pytest.mark.parametrize(("width", "max_width", "named"), [(0, 8, "width=0"), (8, 0, "max_width=0"), (2.5, 8, "2.5")])
def test_a_width_that_is_no_positive_whole_number_is_refused_by_name(width, max_width, named):
    with pytest.raises(UsageError, match=named):
        stage_widths(2, width, max_width)
