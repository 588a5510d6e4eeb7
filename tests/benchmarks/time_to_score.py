"""Quality after equal seconds of training: `python tests/benchmarks/time_to_score.py [NAME ...] [--seeds 0,1,2]`.

Contestants train on the digits, on one core each and as many at a time as there are cores. What counts is the seconds
that the processor spends on training; scoring is not among them. After 60, 120 and 240 of them 1,000 samples are
compared with the training images: by their Fréchet distance in the default encoder and in the features of a small
classifier of the digits, by which nothing was chosen, and by their recall. `plain_gan` and `plain_vae` (plain.py) are
as one writes them by hand; `pythae_vae` (peers.py) joins where pythae is installed; any other NAME is an experiment,
such as `digits_gan`, which overrides may follow: "digits_gan data.batch_size=32".
"""

import argparse
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from math import isnan, nan
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import contest  # noqa: F401  # first: it puts src and tests on the path

# isort: split
import pandas as pd
import torch
from lightning.pytorch import Callback
from omegaconf import DictConfig
from peers import PEERS
from plain import Sample, plain_gan, plain_vae
from settings import config
from torch import Tensor

from genlab.callbacks import EMA
from genlab.cli import USER_ERRORS
from genlab.commands.machine import keep_freed_memory, know_there_is_no_gpu, quieten
from genlab.config.build import build
from genlab.evaluation.second_opinion import questions
from genlab.images import to_float, to_uint8
from genlab.metrics.classifier import ClassifierFeatures, trained_classifier
from genlab.metrics.neighbours import manifold_metrics
from genlab.metrics.population import feature_statistics, frechet
from genlab.metrics.reference import reference
from genlab.sentences import sentence

N_SAMPLES = 1000
OTHERS = {"plain_gan": plain_gan, "plain_vae": plain_vae, **PEERS}
CONTESTANTS = [*OTHERS, "digits_gan", "digits_vae", "digits_vaegan"]
AGAINST = {"digits_vae": "plain_vae", "pythae_vae": "plain_vae"}  # others are held against the plain GAN


class Clock:
    """Counts seconds of training, and has the samples scored when they reach a mark."""

    def __init__(self, marks: list[int], score: Callable[[Sample], dict[str, float]]) -> None:
        self.marks, self.score = list(marks), score
        self.found: list[dict[str, float]] = []
        self.start, self.n_steps = process_time(), 0

    def tick(self, sample: Sample) -> bool:
        """Count a step; False once all is over."""
        self.n_steps += 1
        if (now := process_time()) - self.start >= self.marks[0]:
            self.found.append({"seconds": self.marks.pop(0), "steps": self.n_steps} | self.score(sample))
            self.start += process_time() - now
        return bool(self.marks)


class Contestant(Callback):
    """Has an experiment's samples scored, with the averaged weights as everywhere; stops it when the time is over."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_train_start(self, *_: object) -> None:
        self.clock.start = process_time()

    def on_train_batch_end(self, trainer, model, *_: object) -> None:
        averages = [callback for callback in trainer.callbacks if isinstance(callback, EMA)]

        def sample(n: int) -> Tensor:
            for average in averages:
                average.on_validation_start(trainer, model)
            model.eval()
            images = model.sample(n, torch.Generator().manual_seed(0))
            model.train()
            for average in averages:
                average.on_validation_end(trainer, model)
            return images

        trainer.should_stop = not self.clock.tick(sample)


def configured(name: str, seed: int) -> DictConfig:
    """The configuration of an experiment with its overrides, without an end."""
    setting, *overrides = name.split()
    return config(f"experiment={setting}", "trainer=cpu", "trainer.max_epochs=-1", f"seed={seed}", *overrides)


def experiment(cfg: DictConfig, clock: Clock) -> None:
    """Train a model with its default callbacks, but for those that measure between epochs."""
    callbacks = [build(cfg.callbacks[key]) for key in ("ema", "guard", "health") if key in cfg.callbacks]
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "limit_val_batches": 0}
    build(cfg.trainer, callbacks=[*callbacks, Contestant(clock)], **quiet).fit(build(cfg.model), build(cfg.data))


def train(name: str, seed: int, marks: list[int], cache: Path) -> list[dict[str, float]]:
    """Train a contestant in this process, and return what was found at the marks."""
    quieten()
    keep_freed_memory()
    know_there_is_no_gpu()
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    data = build(config("data=digits").data)
    data.prepare_data()
    data.setup()
    images = data.images("train")
    classifier = trained_classifier(images, *questions(data.labels("train"), "digits"), "cpu", cache)
    encoders = {"distance": build(config(name="eval").features), "classifier": ClassifierFeatures(classifier, "digits")}
    reals = {key: reference(images, encoder, 100, "cpu", cache) for key, encoder in encoders.items()}
    real_features = encoders["distance"](images[:N_SAMPLES])

    @torch.no_grad()
    def score(sample: Sample) -> dict[str, float]:
        fakes = to_uint8(sample(N_SAMPLES))
        found = {
            key: feature_statistics(lambda rows: fakes[rows], N_SAMPLES, encoder, 100, "cpu", keep=True)
            for key, encoder in encoders.items()
        }
        recall = manifold_metrics(found["distance"].features, real_features)[0].recall
        return {key: frechet(population, reals[key]) for key, population in found.items()} | {"recall": recall}

    torch.manual_seed(seed)
    clock = Clock(marks, score)
    if name in OTHERS:
        OTHERS[name](to_float(images[:]), clock.tick)
    else:
        experiment(configured(name, seed), clock)
    return clock.found


def table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Mean and standard deviation over seeds, and the ratio of the mean to that of the plain contestant."""
    groups = pd.DataFrame(rows).groupby(["contestant", "seconds"], sort=False)
    means, deviations = groups.mean(), groups.std(ddof=1)
    found = pd.DataFrame({"steps": means["steps"].round().astype(int)})
    for key, digits in {"distance": 0, "classifier": 1, "recall": 2}.items():
        found[key] = [
            f"{m:.{digits}f}" if isnan(s) else f"{m:.{digits}f} ± {s:.{digits}f}"  # one seed has no deviation
            for m, s in zip(means[key], deviations[key], strict=True)
        ]
        ratios = [
            value / means[key].get((AGAINST.get(name, "plain_gan"), mark), nan)
            for (name, mark), value in means[key].items()
        ]
        found[f"{key} ratio"] = [f"{ratio:.2f}" for ratio in ratios]
    return found


def main() -> None:
    """Train all, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=CONTESTANTS)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--marks", default="60,120,240", help="seconds of training")
    parser.add_argument("--train", metavar="FOLDER", help="the one contestant, in this process; prints JSON")
    typed = parser.parse_args()
    seeds, marks = ([int(part) for part in text.split(",")] for text in (typed.seeds, typed.marks))
    if typed.train:
        print(json.dumps(train(typed.names[0], seeds[0], marks, Path(typed.train))))
        return
    for name in typed.names:
        try:
            _ = name in OTHERS or configured(name, 0)
        except USER_ERRORS as error:
            parser.error(sentence(error))
    with TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:

        def run(job: tuple[str, int]) -> list[dict[str, Any]]:
            options = ["--seeds", str(job[1]), "--marks", typed.marks, "--train", folder]
            command = [sys.executable, __file__, job[0], *options]
            out = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            print(*job, out.splitlines()[-1], flush=True)
            return [{"contestant": job[0]} | row for row in json.loads(out.splitlines()[-1])]

        rows = [row for found in pool.map(run, product(typed.names, seeds)) for row in found]
    print(table(rows).to_string())


if __name__ == "__main__":
    main()
