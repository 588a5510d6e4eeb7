"""An entry script like `train.py` whose runs have a `mood`."""

import os
import signal
import sys
import time
from pathlib import Path

from omegaconf import DictConfig

from genlab.cli import command


def die_at_once() -> None:
    """As when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    """As a bug does."""
    raise ValueError("it rains")


def sleep() -> None:
    """As what does not listen."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path("asleep").touch()
    time.sleep(300)


MOODS = {
    "killed": die_at_once,
    "fails": fail,
    "exits": lambda: os._exit(3),
    "leaves": lambda: sys.exit("enough of it"),
    "sleeps": sleep,
    "fine": lambda: None,
}


def train_in_some_mood(cfg: DictConfig) -> float | None:
    """Train, in some mood."""
    from genlab.commands.train import train

    MOODS[cfg.mood]()
    return train(cfg)


if __name__ == "__main__":
    command("train", "moody.train_in_some_mood")()
