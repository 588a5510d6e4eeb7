"""Numbers that change over training. Each is a function of the images seen, so a resumed run has them exactly."""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from math import cos, pi

from genlab.bounds import PositiveFloat
from genlab.errors import UsageError


class Schedule(ABC):
    """A number for each moment of training."""

    @abstractmethod
    def __call__(self, images_seen: float) -> float:
        """The number after so many images, over all processes; it goes on where the schedule has ended."""

    @abstractmethod
    def extremes(self) -> tuple[float, float]:
        """The smallest and the largest number that it comes to."""


class Linear(Schedule):
    """From one number to another on a straight line.

    Args:
        start, end: the first and the last number.
        images: after which it has got there and stays.
    """

    def __init__(self, start: float, end: float, images: PositiveFloat) -> None:
        self.start, self.end, self.images = start, end, images

    def share(self, progress: float) -> float:
        """How much of the way is done, from 0 to 1, when so much of the time is."""
        return progress

    def __call__(self, images_seen: float) -> float:
        share = self.share(min(1.0, images_seen / self.images))
        return (1 - share) * self.start + share * self.end

    def extremes(self) -> tuple[float, float]:
        return min(self.start, self.end), max(self.start, self.end)


class Cosine(Linear):
    """From one number to another by half a period of a cosine, slowly at both ends (Loshchilov and Hutter 2017, eq. 5).

    Args:
        start, end, images: as in `Linear`.
    """

    def share(self, progress: float) -> float:
        """As in `Linear`: (1 - cos(pi t)) / 2."""
        return (1 - cos(pi * progress)) / 2


class Steps(Schedule):
    """A number until the first milestone, and another one after each.

    Args:
        values: the numbers, one more than there are milestones.
        milestones: images after which the next one holds, in rising order.
    """

    def __init__(self, values: Sequence[float], milestones: Sequence[PositiveFloat]) -> None:
        if len(values) != len(milestones) + 1 or list(milestones) != sorted(milestones):
            raise UsageError(
                f"A schedule of steps takes rising milestones and one more of values, and here milestones={milestones} "
                f"and values={values}: type for example milestones=[1000000] values=[0.002,0.001]."
            )
        self.values, self.milestones = list(values), list(milestones)

    def __call__(self, images_seen: float) -> float:
        return self.values[bisect_right(self.milestones, images_seen)]

    def extremes(self) -> tuple[float, float]:
        return min(self.values), max(self.values)
