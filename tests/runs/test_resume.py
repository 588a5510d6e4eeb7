"""A run that was interrupted ends where it would have ended."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from settings import TINY, config, options

from genlab.runs.checkpoints import read_checkpoint
from genlab.runs.train import train

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


def equal(a: Any, b: Any) -> bool:
    """Whether two checkpoints, or parts of them, are the same to the last bit; clocks apart."""
    if isinstance(a, dict):
        keys = a.keys() - {"training_seconds", "evaluation_seconds"}
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in keys)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def copied(run: Path, to: Path, step: int) -> Path:
    """The run as if it had been killed after some step and a few more, whose rows metrics.csv has."""
    (to / "checkpoints").mkdir(parents=True)
    for name in ("config.yaml", "metrics.csv", "summary.json"):
        shutil.copy(run / name, to / name)
    shutil.copy(run / "checkpoints" / f"step_{step:09d}.ckpt", to / "checkpoints" / "last.ckpt")
    return to


def assert_same_end(run: Path, whole: Path) -> None:
    mine, theirs = (read_checkpoint(path / "checkpoints" / "last.ckpt") for path in (run, whole))
    for key in mine.keys() | theirs.keys() - {"config", "loops"}:
        if key not in ("config", "loops"):
            assert equal(mine[key], theirs[key]), key
    assert (run / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()


@pytest.fixture(scope="module", params=options("model"))
def whole(request, tmp_path_factory):
    """A run of each model that was never interrupted."""
    path = tmp_path_factory.mktemp(request.param)
    train(config(*SMALL, f"model={request.param}", run_dir=path))
    return path


@pytest.mark.parametrize("step", [4, 6], ids=["end of an epoch", "middle of an epoch"])
def test_a_resumed_run_ends_where_the_uninterrupted_one_does(whole, step, tmp_path):
    run = copied(whole, tmp_path / "run", step)
    train(config(f"resume={run}", run_dir="elsewhere"))
    assert_same_end(run, whole)
