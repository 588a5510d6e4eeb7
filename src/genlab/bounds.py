"""Numbers within bounds, as annotations of arguments.

A configuration is checked against them before anything is built, and what is refused is named by its whole key:
`genlab.config.values`.
"""

from collections.abc import Iterator, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from annotated_types import BaseMetadata, Ge, Gt, Interval, Le, Lt

SMALLEST, LARGEST = 8, 512  # pixels of a side that the networks take
N_DRAWS = 1000  # codes of the prior, the best of which are where a search starts

PositiveInt = Annotated[int, Ge(1)]
NonNegativeInt = Annotated[int, Ge(0)]
AtLeastTwo = Annotated[int, Ge(2)]
AtLeastTen = Annotated[int, Ge(10)]
ImageSize = Annotated[int, Interval(ge=SMALLEST, le=LARGEST)]
StoredSize = Annotated[int, Interval(ge=SMALLEST, le=2 * LARGEST)]  # of which a part is shown
PositiveFloat = Annotated[float, Gt(0)]
NonNegativeFloat = Annotated[float, Ge(0)]
Starts = Annotated[int, Interval(ge=1, le=N_DRAWS)]
FrameRate = Annotated[int, Interval(ge=1, le=50)]  # a GIF counts hundredths of a second
Port = Annotated[int, Interval(ge=1, le=65535)]
Width = Annotated[float, Interval(ge=0.01, le=0.28)]  # of a power-function average: 0.289 is the width of the mean
Share = Annotated[float, Interval(ge=0, le=1)]
ShareBelowOne = Annotated[float, Interval(ge=0, lt=1)]


def bounds_of(kind: Any) -> Iterator[BaseMetadata]:
    """The bounds of the numbers that an annotation stands for, a union too."""
    if get_origin(kind) is Annotated:
        for bound in kind.__metadata__:
            yield from bound if isinstance(bound, Interval) else [bound]
    elif get_origin(kind) in (Union, UnionType):
        for member in get_args(kind):
            yield from bounds_of(member)


def holds(number: float, bound: BaseMetadata) -> bool:
    """Whether a number lies within a bound."""
    match bound:
        case Ge(ge=low):
            return number >= low  # type: ignore[operator]
        case Gt(gt=low):
            return number > low  # type: ignore[operator]
        case Le(le=high):
            return number <= high  # type: ignore[operator]
        case Lt(lt=high):
            return number < high  # type: ignore[operator]
    return True


def say_bounds(bounds: Sequence[BaseMetadata]) -> str:
    """How bounds are said after `a number`."""
    match bounds:
        case [Gt(gt=low)]:
            return f" above {low}"
        case [Ge(ge=low)]:
            return f" of at least {low}"
        case [Ge(ge=low), Le(le=high)]:
            return f" from {low} to {high}"
        case [Ge(ge=low), Lt(lt=high)]:
            return f" of at least {low} and below {high}"
    return ""
