"""Speed, as ratios of contestants run in turn: `python tests/benchmarks/run.py`. Takes some minutes; run by hand.

Each line gives the median, lowest and highest ratio over the rounds; above 1 the first contestant is faster.
"""

import logging
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from time import perf_counter

from contest import ROOT, compare, header, timed  # first: it puts src and tests on the path

# isort: split
import torch
from lightning.pytorch import Callback
from settings import config
from torch.utils.data import DataLoader, TensorDataset

from genlab.images import to_float
from genlab.loggers import CSVLogger
from genlab.runs.build import build
from genlab.runs.machine import quieten


class Stopwatch(Callback):
    """The seconds of the batches of an epoch, without setting up and tearing down."""

    def on_train_epoch_start(self, *_: object) -> None:
        self.start = perf_counter()

    def on_train_epoch_end(self, *_: object) -> None:
        self.seconds = perf_counter() - self.start


def in_the_trainer(model_name: str) -> float:
    """An epoch of training in the whole trainer with its default logging, progress bar and EMA; no evaluation."""
    torch.manual_seed(0)
    cfg = config(f"model={model_name}", "trainer=cpu", "trainer.max_epochs=1", "trainer.check_val_every_n_epoch=9")
    stopwatch = Stopwatch()
    callbacks = [stopwatch, build(cfg.callbacks.ema), build(cfg.callbacks.progress)]
    logger = CSVLogger(tempfile.mkdtemp())
    trainer = build(cfg.trainer, callbacks=callbacks, logger=logger, enable_checkpointing=False)
    trainer.fit(build(cfg.model), build(cfg.data))
    return stopwatch.seconds


def by_hand(model_name: str) -> float:
    """The same networks, losses and optimisers in a loop of this file; the GAN draws fresh fakes for G, as usual."""
    torch.manual_seed(0)
    cfg = config(f"model={model_name}")
    model, data = build(cfg.model), build(cfg.data)
    optimizers = model.configure_optimizers()
    images = data.images("train")
    start = perf_counter()
    for rows in torch.randperm(len(images)).split(data.batch_size)[:-1]:
        x = to_float(images[rows])
        if model_name == "gan":
            gan_step(model, x, *optimizers)
        else:
            optimizers.zero_grad()
            model.losses(x)["loss"].backward()
            optimizers.step()
    return perf_counter() - start


def gan_step(model, real, d_optimizer, g_optimizer) -> None:  # type: ignore[no-untyped-def]
    """Alternating steps as in most tutorials."""
    d_optimizer.zero_grad()
    fake = model.sample(len(real)).detach()
    model.objective.loss.discriminator(model.discriminator(real), model.discriminator(fake)).backward()
    d_optimizer.step()
    g_optimizer.zero_grad()
    model.objective.loss.generator(model.discriminator(model.sample(len(real)))).backward()
    g_optimizer.step()


def drained(batches: Iterable[object]) -> Callable[[], float]:
    """Go through all batches."""
    return timed(lambda: [None for _ in batches])


def process(*arguments: str) -> Callable[[], float]:
    """Run Python."""
    return timed(lambda: subprocess.run([sys.executable, *arguments], capture_output=True, check=True))


if __name__ == "__main__":
    quieten()
    logging.disable(logging.WARNING)
    header()
    script = str(ROOT / "src" / "train.py")
    compare("--help / importing torch and Lightning", process(script, "--help"), process("-c", "import lightning"), 3)
    data = build(config().data)
    split = (data.setup(), data.splits["train"])[1]
    items = TensorDataset(split.images, split.labels)
    compare(
        "batches by one index / item by item with collation",
        drained(data.train_dataloader()),
        drained(DataLoader(items, batch_size=data.batch_size, shuffle=True)),
    )
    for name in ("ae", "vae", "gan"):
        contestants = partial(in_the_trainer, name), partial(by_hand, name)
        compare(f"{name}: an epoch in the whole trainer / in a loop by hand", *contestants)
