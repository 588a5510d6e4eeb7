"""What a run has learnt, to look at: a class a mode of `sample.py`."""

from genlab.modes.arithmetic import Arithmetic
from genlab.modes.embed import Embed
from genlab.modes.grid import Grid
from genlab.modes.interpolate import Interpolate
from genlab.modes.manifold import Manifold
from genlab.modes.reconstruct import Reconstruct
from genlab.modes.traverse import Traverse

__all__ = ["Arithmetic", "Embed", "Grid", "Interpolate", "Manifold", "Reconstruct", "Traverse"]
