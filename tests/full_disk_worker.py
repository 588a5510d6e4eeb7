"""Trains, with a disk that takes nothing between two steps. run/test_full_disk.py starts it.

RLIMIT_FSIZE makes the system refuse every write to a file with an OSError; pipes go on.
"""

import logging
import resource
import sys
from pathlib import Path

from settings import config

from genlab.commands.train import train
from genlab.models.base import ImageModel


def refuse_writes(first: int, end: int) -> None:
    """Have the disk be full from one step on, until another."""
    started = ImageModel.on_train_batch_start

    def noted(self: ImageModel, batch: object, batch_idx: int) -> None:
        limit = 0 if first <= self.global_step < end else resource.RLIM_INFINITY
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        started(self, batch, batch_idx)

    ImageModel.on_train_batch_start = noted  # type: ignore[method-assign]


if __name__ == "__main__":
    folder, first, end, *overrides = sys.argv[1:]
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    refuse_writes(int(first), int(end))
    print("score", train(config(*overrides, run_dir=Path(folder)), []))
