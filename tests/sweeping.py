"""Sweeps as a user would start them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from settings import ROOT
from typed import type_in

TRAIN = ROOT / "src" / "train.py"
MOODY = ROOT / "tests" / "moody.py"
FEW = (
    "data.limit=64",
    "data.batch_size=16",
    "trainer.max_epochs=1",
    "trainer=cpu",
    "callbacks.frechet.n_samples=32",
)


def started(*arguments: str, cwd: Path, script: Path = TRAIN, **environment: str) -> subprocess.Popen[str]:
    """Start `python SCRIPT -m ARGUMENTS`, in a process group of its own."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("WANDB")}
    env |= {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"} | environment
    command = [sys.executable, str(script), "-m", *arguments]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=cwd, env=env, text=True, process_group=0, **pipes)


def swept(*arguments: str, cwd: Path, script: Path = TRAIN, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return type_in(script, "-m", *arguments, cwd=cwd, seconds=200, OMP_NUM_THREADS="1", **environment)


def ended(process: subprocess.Popen[str], seconds: float = 200) -> subprocess.CompletedProcess[str]:
    """Wait for it."""
    out, errors = process.communicate(timeout=seconds)
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


def run_folders(folder: Path, key: str) -> dict[str, Path]:
    """The folders of a sweep's runs, by the value that an override has in their names."""
    found = [path for path in folder.iterdir() if path.is_dir() and f"{key}-" in path.name]
    return {path.name.split(f"{key}-")[1].split("_")[0]: path for path in found}


def summary(run_dir: Path) -> dict[str, Any]:
    """What a run says of itself."""
    return json.loads((run_dir / "summary.json").read_text())


def wait_until(happened: Callable[[], Any], seconds: float = 60) -> None:
    """Look ten times a second."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)
