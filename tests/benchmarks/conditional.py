"""A step of a conditional model against one that is told nothing: `python tests/benchmarks/conditional.py [MODEL ...]`.

Both train in turn, an epoch at a time, on digits, without callbacks. A ratio is the median over the rounds, with the
lowest and the highest, of medians of the steps, in seconds of the processor; it may be 1.05. Set OMP_NUM_THREADS=1.
"""

import logging
import sys
from statistics import median
from time import process_time

from contest import header  # first: it puts src and tests on the path

# isort: split
import torch
from lightning.pytorch import Callback
from settings import config

from genlab.commands.machine import keep_freed_memory, quieten
from genlab.config.build import build

ROUNDS = 15
CONDITION = ("model/condition=class", "model.condition_drop=0.1", "model.condition.names=[0,1,2,3,4,5,6,7,8,9]")


class Clock(Callback):
    """The seconds of each step, as the processor counts them: others who take it do not."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_batch_start(self, *_: object) -> None:
        self.start = process_time()

    def on_train_batch_end(self, *_: object) -> None:
        self.seconds.append(process_time() - self.start)


def seconds(name: str, *overrides: str) -> list[float]:
    """Those of the steps of one epoch."""
    short = ("trainer=cpu", "trainer.max_epochs=1", "data.limit=1920", "data.batch_size=64")
    cfg, clock = config(f"model={name}", *short, *overrides), Clock()
    torch.manual_seed(0)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "limit_val_batches": 0}
    build(cfg.trainer, callbacks=[clock], **quiet).fit(build(cfg.model), build(cfg.data))
    return clock.seconds[5:]


def measure(name: str) -> None:
    """Train in turn, and print the ratio of medians of the rounds."""
    rounds = [[median(seconds(name, *overrides)) for overrides in ((), CONDITION)] for _ in range(ROUNDS)]
    plain, conditional = (1000 * median(times) for times in zip(*rounds, strict=True))
    ratios = sorted(told / untold for untold, told in rounds)
    what = f"{name}: conditional / plain ({conditional:.1f} / {plain:.1f} ms)"
    print(f"{what:75s} {median(ratios):6.3f}   ({ratios[0]:.3f} to {ratios[-1]:.3f})", flush=True)


if __name__ == "__main__":
    quieten()
    keep_freed_memory()
    logging.disable(logging.WARNING)
    header()
    for model in sys.argv[1:] or ["vae", "gan", "vaegan"]:
        measure(model)
