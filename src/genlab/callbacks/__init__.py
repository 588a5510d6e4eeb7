"""When to measure and where to write. Callbacks know models by `genlab.protocols` alone."""

from genlab.callbacks.checkpoint import Checkpoint
from genlab.callbacks.curves import Curves
from genlab.callbacks.ema import EMA
from genlab.callbacks.frechet import FrechetDistance
from genlab.callbacks.guard import Guard
from genlab.callbacks.health import Health
from genlab.callbacks.pictures import ReconstructionGrid, SampleGrid
from genlab.callbacks.posthoc import PostHocEMA
from genlab.callbacks.progress import Progress
from genlab.callbacks.summary import Summary

__all__ = [
    "EMA",
    "Checkpoint",
    "Curves",
    "FrechetDistance",
    "Guard",
    "Health",
    "PostHocEMA",
    "Progress",
    "ReconstructionGrid",
    "SampleGrid",
    "Summary",
]
