"""Runs that are interrupted, resumed and compared."""

import csv
import shutil
from pathlib import Path
from typing import Any

import torch
from settings import TINY

from genlab.run.checkpoint import read_checkpoint

# Two epochs of four batches, with a checkpoint after each of them, and all that counts something.
SMALL = (
    *TINY,
    "data.size=16",
    "trainer.max_epochs=2",
    "callbacks.checkpoint.every_n_steps=1",
    "callbacks.checkpoint.keep=9",
    "callbacks=without_encoder",
    *(f"~callbacks.{name}" for name in ("frechet", "samples", "curves", "progress")),
)


def saved(run: Path) -> dict[str, Any]:
    """The last checkpoint of a run."""
    return read_checkpoint(run / "checkpoints" / "last.ckpt")


def rows(run: Path) -> list[dict[str, str]]:
    """The rows of `metrics.csv`."""
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def copied(run: Path, to: Path, step: int) -> Path:
    """The run as if it had been killed after some step and a few more, whose rows metrics.csv has."""
    (to / "checkpoints").mkdir(parents=True)
    for name in ("config.yaml", "metrics.csv", "summary.json"):
        shutil.copy(run / name, to / name)
    shutil.copy(run / "checkpoints" / f"step_{step:09d}.ckpt", to / "checkpoints" / "last.ckpt")
    return to


def assert_same_end(run: Path, whole: Path) -> None:
    """Weights, averages, optimisers, counters, random states and metrics are the same to the last bit."""
    mine, theirs = saved(run), saved(whole)
    assert mine.keys() == theirs.keys()
    for key in mine.keys() - {"config", "loops"}:  # folders, and how Lightning says where it is
        assert equal(mine[key], theirs[key]), key
    assert (run / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()


def equal(a: Any, b: Any) -> bool:
    """Whether two checkpoints, or parts of them, are the same to the last bit; clocks apart."""
    if isinstance(a, dict):
        keys = a.keys() - {"training_seconds", "evaluation_seconds"}
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in keys)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
