"""Numbers within bounds, as annotations of arguments.

A configuration is checked against them before anything is built, and what is refused is named by its whole key:
`genlab.config.values`.
"""

from typing import Annotated

from annotated_types import Ge, Gt, Interval

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
