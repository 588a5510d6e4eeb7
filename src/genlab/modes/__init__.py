"""What a run has learnt, to look at: a class a mode of `sample.py`."""

from genlab.modes.animate import Animate
from genlab.modes.arithmetic import Arithmetic
from genlab.modes.embed import Embed
from genlab.modes.grid import Grid
from genlab.modes.interpolate import Interpolate
from genlab.modes.invert import Invert
from genlab.modes.manifold import Manifold
from genlab.modes.neighbours import Neighbours
from genlab.modes.reconstruct import Reconstruct
from genlab.modes.traverse import Traverse

__all__ = [
    "Animate",
    "Arithmetic",
    "Embed",
    "Grid",
    "Interpolate",
    "Invert",
    "Manifold",
    "Neighbours",
    "Reconstruct",
    "Traverse",
]
