"""What a claim of the lecture is: a sentence, an experiment, and a verdict that follows from what was measured."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from genlab.lecture.runs import Runs


class Statement(NamedTuple):
    """A comparison of measured numbers, and whether it holds."""

    text: str
    holds: bool


class Evidence(NamedTuple):
    """What an experiment gives: a figure, a table of the numbers, and the statements that the verdict rests on."""

    figure: Figure
    caption: str
    table: pd.DataFrame
    statements: Sequence[Statement]
    is_picture: bool = False  # whether the figure shows images, whose colours stay where the page is dark

    @property
    def verdict(self) -> str:
        """`shown` if all statements hold, and there are some; else `not shown`."""
        return "shown" if self.statements and all(bool(holds) for _, holds in self.statements) else "not shown"


class Claim(ABC):
    """A sentence of the lecture with its experiment. A subclass with keys of its own takes them as arguments.

    Attributes:
        title: a heading.
        sentence: what is claimed, in the lecture's notation.
        experiment: what is done to see whether it is so.
        sweeps: what is typed after `python src/train.py -m` for the trainings that it needs.
    """

    title: ClassVar[str]
    sentence: ClassVar[str]
    experiment: ClassVar[str]
    sweeps: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def measure(self, runs: Runs) -> Evidence:
        """Do the experiment; what it draws at random is the same every time."""


def is_falling(values: Sequence[float]) -> bool:
    """Whether each value is below the one before."""
    return bool(np.all(np.diff(np.asarray(values, dtype=float)) < 0))
