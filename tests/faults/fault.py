"""What a fault is."""

from random import Random
from typing import ClassVar

from training import INTERVAL, Training


class Fault:
    """Something that may happen to a run.

    Attributes:
        settings: names of the settings to which it can happen; empty for all of them.
        may_lose: steps that the run may have to repeat.
        is_exact: whether the run has to end as if nothing had happened, to the last bit.
    """

    settings: ClassVar[tuple[str, ...]] = ("vae", "gan", "vaegan")
    may_lose = INTERVAL
    is_exact = True
    name = ""

    def strike(self, run: Training, numbers: Random) -> None:
        """Do it to a run that trains, and leave it training or ended."""
        raise NotImplementedError
