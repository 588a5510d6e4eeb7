"""Every model's step in the whole trainer against a loop by hand: `python tests/benchmarks/steps.py [MODEL ...]`.

Both take their steps in turn in one process: what disturbs the machine disturbs both. A ratio is the time of ten steps
by hand over that of ten in the trainer, with its default callbacks and loggers; above 1 the trainer is faster.
"""

import logging
import sys
import tempfile
from collections.abc import Iterator
from statistics import median
from time import perf_counter
from typing import Any

from contest import header  # first: it puts src and tests on the path

# isort: split
import by_hand
import torch
from lightning.pytorch import Callback
from settings import config, options
from torch import Tensor

from genlab.images import to_float
from genlab.loggers import CSVLogger
from genlab.runs.build import build
from genlab.runs.machine import quieten

EPOCHS, BLOCK = 8, 10


class InTurn(Callback):
    """After each batch of the trainer, one of the loop by hand; all that the trainer does in between is its own."""

    def __init__(self, cfg: Any) -> None:
        torch.manual_seed(0)
        self.model, self.data = build(cfg.model), build(cfg.data)
        optimizers = self.model.configure_optimizers()  # with a list of schedules, where there are players
        self.optimizers = optimizers[0] if isinstance(optimizers, tuple) else optimizers
        self.step = getattr(by_hand, cfg.model._target_.rpartition(".")[2].lower())
        self.batches = self.endless()
        self.trainer_seconds: list[float] = []
        self.hand_seconds: list[float] = []
        self.mark = perf_counter()

    def endless(self) -> Iterator[Tensor]:
        """Batches in the way of most tutorials that keep their images in memory."""
        images = self.data.images("train")
        while True:
            for rows in torch.randperm(len(images)).split(self.data.batch_size)[:-1]:
                yield to_float(images[rows])

    def on_train_batch_end(self, *_: object) -> None:
        start = perf_counter()
        self.step(self.model, next(self.batches), self.optimizers)
        end = perf_counter()
        self.trainer_seconds.append(start - self.mark)
        self.hand_seconds.append(end - start)
        self.mark = end

    def ratios(self) -> list[float]:
        """One a block of steps, the first block left out: it warms up."""
        starts = range(BLOCK, len(self.hand_seconds) - BLOCK + 1, BLOCK)
        blocks = [slice(start, start + BLOCK) for start in starts]
        return sorted(sum(self.hand_seconds[block]) / sum(self.trainer_seconds[block]) for block in blocks)


def measure(name: str, *overrides: str) -> None:
    """Train a model in turn with its loop by hand, and print the ratio."""
    folder = tempfile.mkdtemp()
    every = ("trainer=cpu", f"trainer.max_epochs={EPOCHS}", "trainer.check_val_every_n_epoch=1000")
    cfg = config(f"model={name}", *every, *overrides, run_dir=folder)
    in_turn = InTurn(cfg)
    torch.manual_seed(0)
    callbacks = [*(build(node) for node in cfg.callbacks.values()), in_turn]
    trainer = build(cfg.trainer, callbacks=callbacks, logger=CSVLogger(folder))
    trainer.fit(build(cfg.model), build(cfg.data))
    ratios = in_turn.ratios()
    milliseconds = 1000 * median(in_turn.hand_seconds)
    label = f"{name}: in the whole trainer / by hand ({milliseconds:.1f} ms)"
    print(f"{label:75s} {median(ratios):6.2f}   ({ratios[0]:.2f} to {ratios[-1]:.2f})", flush=True)


if __name__ == "__main__":
    quieten()
    logging.disable(logging.WARNING)
    header()
    for model in sys.argv[1:] or options("model"):
        measure(model)
