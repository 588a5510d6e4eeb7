"""How time and memory grow: `python tests/benchmarks/growth.py [PICTURE]`. Takes some minutes of one core, on Linux.

Prints exponents, those of a power law through the upper half of the points: 1 is linear. Each point is measured in a
process of its own; memory is its peak beyond what there was before. A step is one of a VAE in the whole trainer with
the default callbacks: of its convolutional networks, or of networks of nearly no work, where all else remains.
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from multiprocessing import Pipe, get_context
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from time import perf_counter
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

from contest import ROOT  # first: it puts src and tests on the path

# isort: split
import numpy as np
import pandas as pd
import torch
from lightning.pytorch.callbacks import LambdaCallback
from matplotlib.figure import Figure
from report_folders import make_run
from settings import config

from genlab.commands.machine import keep_freed_memory, know_there_is_no_gpu, quieten
from genlab.commands.train import _only
from genlab.config.build import build
from genlab.data import ImageDataModule
from genlab.data.cache import read_cache
from genlab.data.sums import sums
from genlab.loggers import CSVLogger
from genlab.metrics import manifold_metrics
from genlab.metrics.kernel import kernel_influence
from genlab.metrics.neighbours import nearest
from genlab.moments import some_of
from genlab.protocols import Split
from genlab.report.write import write_report
from genlab.trainer.internals import pass_over_idle_hooks
from genlab.trainer.resume_state import ResumeState

Action = Callable[[], float | None]  # returns its seconds, if these are not all that it takes
Measure = Callable[[int], Action]  # what is to be measured at a value, all of it prepared

N_STEPS, N_WARM = 25, 5
NOTHING = [text for role in ("encoder", "decoder") for text in (f"model/{role}=mlp", f"model.{role}.width=2")]


def data_of(images: torch.Tensor, batch_size: int) -> ImageDataModule:
    """Images that are there, the first of them to validate."""
    split = Split(images, torch.zeros(len(images), dtype=torch.long))
    splits = {name: Split(*(part[:n] for part in split)) for name, n in (("train", None), ("val", 64), ("test", 64))}
    return ImageDataModule(lambda *_: splits, "noise", 1, images.shape[-1], images.shape[1:], batch_size)


def step(key: str, *overrides: str, batch: int = 64) -> Measure:
    """A step of training against the side of the images, the batch, or what stands for {} in the overrides."""

    def make(value: int) -> Action:
        side, n = (value if key == "side" else 28), (value if key == "batch" else batch)
        data, folder = data_of(torch.randint(256, (N_STEPS * n, 1, side, side), dtype=torch.uint8), n), mkdtemp()
        typed = [text.format(value) for text in overrides]
        shallow = ("model/encoder=conv", "model/decoder=conv", "trainer=cpu", f"trainer.max_steps={N_STEPS}")
        cfg = config(*shallow, f"data.size={side}", *typed, run_dir=folder)
        ends: list[float] = []
        watch = LambdaCallback(on_train_batch_end=lambda *_: ends.append(perf_counter()))
        callbacks = [ResumeState({}), *(build(node) for node in cfg.callbacks.values()), watch]
        options = {"callbacks": callbacks, "logger": CSVLogger(folder), "limit_val_batches": 0, **_only(callbacks)}

        def train() -> float:
            trainer = build(cfg.trainer, **options)
            pass_over_idle_hooks(trainer.callbacks)
            trainer.fit(build(cfg.model), data)
            return (ends[-1] - ends[N_WARM - 1]) / (N_STEPS - N_WARM)

        return train

    return make


def on_disk(n: int, n_batches: int = 0) -> Action:
    """Opening n prepared images of 16 x 16 pixels, and some batches of them. Holes in a file take no disk."""
    folder = Path(mkdtemp())
    for name, count in (("train", n), ("val", 64), ("test", 64)):
        np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.uint8, (count, 1, 16, 16))
        np.save(folder / f"{name}_labels.npy", np.zeros(count, np.int64))
    known = {file.name: sums(file) for file in folder.glob("*.npy")}
    manifest = {"made_from": {}, "fingerprints": dict.fromkeys(("train", "val", "test"), "0" * 16), "sums": known}
    (folder / "manifest.json").write_text(json.dumps(manifest))

    def read() -> float:
        start = perf_counter()
        splits = read_cache(folder, {})[1]
        data = ImageDataModule(lambda *_: splits, "holes", 1, 16, (1, 16, 16), 64)
        data.setup()
        batches = iter(data.train_dataloader())
        next(batches)
        opened = perf_counter()
        for _ in range(n_batches):
            next(batches)
        return perf_counter() - (opened if n_batches else start)

    return read


def score(n: int) -> Action:
    """The score of training, of n samples against 64 images."""
    cfg = config(f"callbacks.frechet.n_samples={n}", "callbacks.frechet.cache_dir=null")
    data, model = data_of(torch.randint(256, (64, 1, 28, 28), dtype=torch.uint8), 64), build(cfg.model)
    callback = build(cfg.callbacks.frechet)
    return lambda: (callback.measure(model, data), None)[1]


def pairs(n: int) -> Action:
    """What looks at all pairs of n samples and n images in their features: neighbours and kernels of metrics=full."""
    a, b = torch.randn(2, n, 1280)
    return lambda: (manifold_metrics(a, b), nearest(a, b), kernel_influence(some_of(a), a, b), None)[-1]


def report(n: int) -> Action:
    """A report on n runs, four seeds of each setting."""
    folder = Path(mkdtemp())
    for run in range(n):
        make_run(folder / f"{run}", 100 + run % 7 + run // 4, latent_dim=run // 4 + 2, seed=run % 4)
    return lambda: (write_report(folder), None)[1]


def sweep(n: int) -> tuple[float, float]:
    """From a command for n cells to the start of the first: seconds, and MB of the process that plans."""
    command = [sys.executable, str(ROOT / "src/train.py"), "-m", f"model.latent_dim=range(2,{n + 2})", "trainer=cpu"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    start = perf_counter()
    planning = subprocess.Popen(command, cwd=mkdtemp(), process_group=0, **pipes)
    assert planning.stdout is not None
    while not (line := planning.stdout.readline()).startswith("started"):
        assert line, "the sweep has ended"
    found = perf_counter() - start, memory(planning.pid)
    os.killpg(planning.pid, 9)
    planning.wait()
    return found


def memory(process: int | str = "self", field: str = "VmHWM") -> float:
    """The peak of the resident memory in MB, or with VmRSS what it is now."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def measure(make: Any, value: int) -> tuple[float, float]:
    """Seconds and MB of a point, in a process that is forked off."""
    if make is sweep:
        return sweep(value)
    receiver, sender = Pipe()

    def child() -> None:
        torch.manual_seed(0)
        action = make(value)
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
        before, start = memory(field="VmRSS"), perf_counter()
        seconds = action()
        sender.send((seconds or perf_counter() - start, memory() - before))

    process = get_context("fork").Process(target=child)
    process.start()
    process.join()
    assert receiver.poll(), f"{value} has failed"
    found: tuple[float, float] = receiver.recv()
    return found


WIDTH, LATENT = ("model.encoder.width={}", "model.decoder.width={}"), "model.latent_dim={}"
TRAINER, REST = "step", "step, nearly no network"
AXES: dict[str, tuple[list[int], dict[str, Any]]] = {  # values, and what is measured
    "pixels a side": (
        [16, 32, 64, 128, 256],
        {TRAINER: step("side", batch=16), REST: step("side", *NOTHING, batch=16)},
    ),
    "batch": ([16, 64, 256, 1024], {TRAINER: step("batch"), REST: step("batch", *NOTHING)}),
    "width": ([8, 16, 32, 64, 128], {TRAINER: step("", *WIDTH)}),
    "latent dimension": (
        [8, 64, 512, 4096],
        {TRAINER: step("", LATENT), REST: step("", LATENT, *NOTHING)},
    ),
    "images on disk": (
        [10**3, 10**4, 10**5, 10**6],
        {"to the first batch": on_disk, "10 more batches": partial(on_disk, n_batches=10)},
    ),
    "cells": ([4, 16, 64, 256], {"to the first start": sweep, "report": report}),
    "samples": ([500, 1000, 2000, 4000], {"score of training": score, "pairs of features": pairs}),
}


def exponent(points: pd.DataFrame, column: str) -> float:
    """The slope of a power law through the upper half of the points; against the side by the number of pixels."""
    upper = points.iloc[len(points) // 2 :]
    x = upper["value"] ** (2 if upper["axis"].iloc[0] == "pixels a side" else 1)
    return float(np.polyfit(np.log(x), np.log(upper[column]), 1)[0])


def tabulate(found: pd.DataFrame) -> None:
    """Print first and last values, and exponents."""
    print("\n| against | what | from, to | seconds | exponent | MB | exponent |\n" + "| --- " * 7 + "|")
    for (axis, what), own in found.groupby(["axis", "what"], sort=False):
        cells = [f"{own['value'].iloc[0]:,} to {own['value'].iloc[-1]:,}"]
        for column in ("seconds", "MB"):
            first, *_, last = (f"{value:.3g}" if value < 100 else f"{value:,.0f}" for value in own[column])
            cells += [f"{first} to {last}", f"{exponent(own, column):.2f}"]
        print(f"| {axis} | {what} | {' | '.join(cells)} |")


def draw(found: pd.DataFrame, path: str) -> None:
    """A panel a quantity and axis, both logarithmic."""
    figure = Figure(figsize=(2.6 * len(AXES), 5.4), layout="constrained")
    panels = figure.subplots(2, len(AXES), sharex="col", sharey="row")
    for row, column in zip(panels, ("seconds", "MB"), strict=True):
        row[0].set_ylabel(column)
        for panel, (axis, own) in zip(row, found.groupby("axis", sort=False), strict=True):
            for what, points in own.groupby("what", sort=False):
                panel.plot(points["value"], points[column], marker=".", label=what)
            panel.set(xscale="log", yscale="log", xlabel=axis if column == "MB" else "")
            panel.set_xticks([*own["value"].unique()[::2]], [f"{value:,}" for value in own["value"].unique()[::2]])
            panel.minorticks_off()
            panel.grid(alpha=0.3)
            panel.legend(fontsize=7)
    figure.savefig(path, dpi=80)


def main() -> None:
    """Measure, print and draw."""
    rows = []
    with TemporaryDirectory() as tempfile.tempdir:
        for axis, (values, parts) in AXES.items():
            for what, make in parts.items():
                rows += [(axis, value, what, *measure(make, value)) for value in values]
                points = ", ".join(f"{row[1]:,}: {row[3]:.3g} s {row[4]:.0f} MB" for row in rows[-len(values) :])
                print(f"{axis}, {what}: {points}", flush=True)
    found = pd.DataFrame(rows, columns=["axis", "value", "what", "seconds", "MB"])
    tabulate(found)
    draw(found, sys.argv[1] if sys.argv[1:] else str(ROOT / "docs" / "growth.png"))


if __name__ == "__main__":
    quieten()
    keep_freed_memory()
    know_there_is_no_gpu()
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    main()
