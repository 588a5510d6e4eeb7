"""An error and what caused it."""

from genlab.errors import causes


def test_causes_are_yielded_from_the_error_on_each_once():
    first, second, third = ValueError("first"), ValueError("second"), ValueError("third")
    third.__cause__, second.__cause__ = second, first
    assert [*causes(third)] == [third, second, first]
    first.__cause__ = second  # a circle that does not go through where one starts
    assert [*causes(third)] == [third, second, first]
    alone = ValueError("its own")
    alone.__cause__ = alone
    assert [*causes(alone)] == [alone]
