"""Where numbers and pictures go besides the run folder, and `metrics.csv`, which is always written."""

from genlab.loggers.csv import CSVLogger
from genlab.loggers.tolerant import tolerant
from genlab.loggers.wandb import WandbLogger

__all__ = ["CSVLogger", "WandbLogger", "tolerant"]
