"""What check.py does with a model. Imported first, it puts src and tests on the path."""

import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from lightning.pytorch import Callback

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / path) for path in ("src", "tests", "tests/benchmarks")]

BATCH = 64
DATA = ("data=shapes", "data.size=32", "data.channels=1", "data.source.n_images=4000", f"data.batch_size={BATCH}")
SETTLE = 6  # steps before the first one that is timed
COUNTED = 10  # steps after those, whose waits are counted
NOTHING = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}


def synchronise() -> None:
    """Wait for a GPU."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


class Watch(Callback):
    """Times steps, keeps their losses, and counts how often further ones wait for a GPU."""

    def __init__(self, n_steps: int) -> None:
        self.begin, self.end = SETTLE, SETTLE + n_steps
        self.losses: list[torch.Tensor] = []
        self.seconds, self.n_waits = 0.0, 0
        self.caught = warnings.catch_warnings(record=True)

    def on_train_batch_start(self, trainer: Any, model: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == self.end and model.device.type == "cuda":
            self.found = self.caught.__enter__()
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")

    def on_train_batch_end(self, trainer: Any, model: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.losses.append(torch.stack([term.float() for term in model.terms.values()]).sum())
        if trainer.global_step in (self.begin, self.end):
            synchronise()
            self.seconds = perf_counter() - self.seconds

    def on_exception(self, *_: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.set_sync_debug_mode("default")

    def on_train_end(self, trainer: Any, model: Any) -> None:
        if model.device.type == "cuda":
            torch.cuda.set_sync_debug_mode("default")
            self.caught.__exit__(None, None, None)
            self.n_waits = sum("synchronizing" in str(warning.message) for warning in self.found or ())
        assert all(torch.isfinite(loss) for loss in self.losses), "a loss is not finite"


def by_hand(cfg: Any, device: str, n_steps: int) -> float:
    """Images per second of the loop by hand."""
    from by_hand import loop

    step, seconds = loop(cfg, device), 0.0
    for n_done in range(1, SETTLE + n_steps + 1):
        step()
        if n_done in (SETTLE, SETTLE + n_steps):
            synchronise()
            seconds = perf_counter() - seconds
    return BATCH * n_steps / seconds


def distributed(name: str, device: str) -> str:
    """Train on all GPUs by the command line, or in two processes on the CPU; what the run says."""
    folder = tempfile.mkdtemp()
    typed = (f"model={name}", *DATA, "callbacks=summary", "trainer.max_steps=5", "trainer.limit_val_batches=1")
    trainer = "trainer=ddp" if device == "cuda" else "trainer=ddp_cpu"
    command = [sys.executable, str(ROOT / "src/train.py"), *typed, trainer, f"hydra.run.dir={folder}"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert result.returncode == 0, result.stderr[-500:]
    summary = json.loads((Path(folder) / "summary.json").read_text())
    return f"{summary['status']} in {summary['images_seen'] // (BATCH * 5)} process(es)"
