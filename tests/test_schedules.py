"""Numbers that change over training."""

import pytest

from genlab.errors import UsageError
from genlab.schedules import Cosine, Linear, Steps


def test_a_line_goes_from_start_to_end_and_stays_there():
    assert [Linear(1.0, 3.0, 100)(n) for n in (0, 25, 50, 100, 1000)] == [1.0, 1.5, 2.0, 3.0, 3.0]


def test_a_cosine_is_slow_at_both_ends():
    values = [Cosine(1.0, 0.0, 90)(n) for n in (0, 30, 45, 60, 90, 1000)]
    assert values == pytest.approx([1.0, 0.75, 0.5, 0.25, 0.0, 0.0])  # (1 + cos) / 2 of 0, 60, 90, 120 and 180 degrees


def test_steps_change_at_their_milestones():
    assert [Steps([1.0, 0.5, 0.2], [30, 50])(n) for n in (0, 29, 30, 49, 50, 1000)] == [1.0, 1.0, 0.5, 0.5, 0.2, 0.2]


@pytest.mark.parametrize(("values", "milestones"), [([1.0], [30]), ([1.0, 0.5, 0.2], [50, 30])])
def test_steps_of_another_number_or_order_are_refused(values, milestones):
    with pytest.raises(UsageError, match="rising milestones and one more of values"):
        Steps(values, milestones)


def test_extremes_are_the_smallest_and_largest_number():
    assert Linear(3.0, 1.0, 10).extremes() == Cosine(1.0, 3.0, 10).extremes() == (1.0, 3.0)
    assert Steps([1.0, 5.0, 0.2], [30, 50]).extremes() == (0.2, 5.0)
