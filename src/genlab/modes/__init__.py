"""What a run has learnt, to look at: a class a mode of `sample.py`."""

from genlab.modes.grid import Grid
from genlab.modes.interpolate import Interpolate
from genlab.modes.reconstruct import Reconstruct

__all__ = ["Grid", "Interpolate", "Reconstruct"]
