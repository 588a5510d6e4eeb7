"""`python src/train.py`, ended at once before a step: `train_until.py N_STEPS OVERRIDE ...`."""

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "src"))

import genlab.entry  # noqa: F401  # isort: skip

from genlab.cli import command

N_STEPS = int(sys.argv.pop(1))


def train(cfg: Any) -> None:
    """Have a callback that has nothing to do at a batch end the process."""
    from genlab.commands.train import train
    from genlab.trainer.schedule import Validation

    def leave(callback: Any, trainer: Any, *_: Any) -> None:
        if trainer.global_step == N_STEPS:
            os._exit(0)

    Validation.on_train_batch_start = leave  # type: ignore[method-assign]
    train(cfg)


if __name__ == "__main__":
    command("train", "__main__.train")()
