"""Every model's step in the whole trainer against a loop by hand: `python tests/benchmarks/steps.py [MODEL ...]`.

Each runs in a process of its own, and they take blocks of steps in turn: what disturbs the machine disturbs both. A
ratio is the time of a block by hand over that of one in the trainer, with the default callbacks and loggers; above 1
the trainer is faster. What it does between epochs (checkpoints, validation) is no part of a step. Both have the same
settings of the allocator, and batches of 64. Overrides may stand among the models: `vae ~callbacks.ema`. Seconds are
those of the processor, which others on the machine do not add to; two threads that wait for each other do, so set
OMP_NUM_THREADS=1 where it is not quiet.

`steps.py nothing` does so with networks of nearly no work: what the trainer takes longer is what it adds to any step.
"""

import logging
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from contest import header  # first: it puts src and tests on the path

# isort: split
import torch
from lightning.pytorch import Callback, Trainer
from settings import config, options

from genlab.commands.machine import keep_freed_memory, know_there_is_no_gpu, quieten
from genlab.commands.train import _only
from genlab.config.build import build
from genlab.loggers import CSVLogger
from genlab.trainer.internals import pass_over_idle_hooks
from genlab.trainer.resume_state import ResumeState
from genlab.trainer.schedule import Validation
from genlab.trainer.signals import Signals

SECONDS = 15  # of training, a model: more where these are few blocks
FEWEST = 3  # blocks, of which the first one warms up
BLOCK = 20  # steps: a multiple of the intervals of logging, of the progress bar and of the EMA
D_PLAYS = dict.fromkeys(("klgan", "vqgan"), ("model.d_start=0",))  # from the first step on
NOTHING = {"vae": ("encoder", "decoder"), "gan": ("generator", "discriminator")}  # networks that get tiny


class InTurn(Callback):
    """After each block of steps in the trainer, one of the loop by hand; what the trainer does within is its own."""

    def __init__(self, *overrides: str) -> None:
        script = str(Path(__file__).with_name("by_hand.py"))
        command = [sys.executable, script, str(BLOCK), *overrides]
        self.hand = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.blocks: list[tuple[float, float]] = []  # seconds in the trainer, and by hand

    def by_hand(self) -> float:
        """The seconds of one block."""
        assert self.hand.stdin is not None
        assert self.hand.stdout is not None
        print(file=self.hand.stdin, flush=True)
        return float(self.hand.stdout.readline())

    def on_train_start(self, *_: object) -> None:
        self.by_hand()  # warms up
        self.start = perf_counter()

    def on_train_epoch_start(self, *_: object) -> None:
        self.mark = process_time()

    def on_train_batch_end(self, trainer: Trainer, *args: object) -> None:
        batch_idx = args[-1]
        assert isinstance(batch_idx, int)
        if (batch_idx + 1) % BLOCK == 0:
            self.blocks.append((process_time() - self.mark, self.by_hand()))
            trainer.should_stop = perf_counter() - self.start > SECONDS and len(self.blocks) >= FEWEST
            self.mark = process_time()


def measure(name: str, *overrides: str) -> None:
    """Train a model in turn with its loop by hand, and print the ratio."""
    folder = tempfile.mkdtemp()
    every = ("data.batch_size=64", "trainer=cpu", "trainer.max_epochs=1000", "trainer.check_val_every_n_epoch=1000")
    cfg = config(f"model={name}", *every, *overrides, run_dir=folder)
    torch.manual_seed(0)
    in_turn = InTurn(f"model={name}", *every, *overrides)
    own = [ResumeState({}), Validation(), Signals()]
    callbacks = [*own, *(build(node) for node in cfg.callbacks.values()), in_turn]
    trainer = build(cfg.trainer, callbacks=callbacks, logger=CSVLogger(folder), **_only(callbacks))
    pass_over_idle_hooks(trainer.callbacks)
    trainer.fit(build(cfg.model), build(cfg.data))
    in_turn.hand.communicate()
    blocks = in_turn.blocks[1:]  # the first one warms up
    ratios = sorted(by_hand / in_trainer for in_trainer, by_hand in blocks)
    in_trainer, by_hand = (1000 / BLOCK * median(seconds) for seconds in zip(*blocks, strict=True))
    label = f"{name}: in the whole trainer / by hand ({in_trainer:.2f} / {by_hand:.2f} ms, {in_trainer - by_hand:+.2f})"
    print(f"{label:75s} {median(ratios):6.2f}   ({ratios[0]:.2f} to {ratios[-1]:.2f})", flush=True)


if __name__ == "__main__":
    quieten()
    keep_freed_memory()
    know_there_is_no_gpu()
    logging.disable(logging.WARNING)
    overrides = [argument for argument in sys.argv[1:] if "=" in argument or argument.startswith("~")]
    header()
    for model in [argument for argument in sys.argv[1:] if argument not in overrides] or options("model"):
        if model != "nothing":
            measure(model, *D_PLAYS.get(model, ()), *overrides)
            continue
        for model, roles in NOTHING.items():
            tiny = [text for role in roles for text in (f"model/{role}=mlp", f"model.{role}.width=2")]
            measure(model, *tiny, *overrides)
