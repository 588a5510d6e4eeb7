"""How often a ranking errs: `python tests/benchmarks/ranking.py [N_RUNS]`, 30 or more, by default 60.

Each of these runs trains a small VAE on digits with a seed of its own and is scored after 90% of its steps and at the
end: the first is, to the last bit, the run of the same seed that is trained 10% shorter. From these runs

- 400 pairs of settings are made up whose 5 runs differ by their seeds alone: at most 5% may be told apart;
- 200 tables of 6 such settings: in at most 5% may any two be told apart;
- 400 pairs of 5 runs and the 5 that were trained shorter: at least 80% are to be told apart, the shorter one below, if
  the mean difference is at least one standard deviation of the seeds.
"""

import logging
import random
import sys
from functools import partial
from math import sqrt
from statistics import fmean, stdev
from time import perf_counter

import contest  # noqa: F401  # first: it puts src and tests on the path

# isort: split
import torch
from lightning.pytorch import Callback
from settings import config

from genlab.commands.machine import keep_freed_memory, quieten
from genlab.config.build import build
from genlab.images import to_uint8
from genlab.metrics.population import feature_statistics, frechet
from genlab.metrics.reference import reference
from genlab.significance import places
from genlab.stamp import NORMAL

N_STEPS, N_SAMPLES, N_SEEDS, N_TABLES = 200, 300, 5, 200
SETTING = ("model=vae", "model/encoder=conv", "model/decoder=conv", "model.latent_dim=10", "model.optimizer.lr=2e-3")
SETTING += ("data=digits", "data.size=8", "data.batch_size=32", "trainer=cpu")


class Scores(Callback):
    """The distances after 90% of the steps and after all of them."""

    def __init__(self, encoder, data) -> None:
        self.encoder, self.found = encoder, []
        self.real = reference(data.images("train"), encoder, 100, "cpu", None)

    @torch.no_grad()
    def on_train_batch_end(self, trainer, model, *_: object) -> None:
        if trainer.global_step in (round(0.9 * N_STEPS), N_STEPS):
            model.eval()
            images = to_uint8(model.sample(N_SAMPLES, torch.Generator().manual_seed(0)))
            fake = feature_statistics(lambda rows: images[rows], N_SAMPLES, self.encoder, 100, "cpu", keep=True)
            self.found.append(frechet(fake, self.real))
            model.train()


def trained(n_runs: int) -> list[tuple[float, float]]:
    """The scores of runs of different seeds: after 90% of the steps, and after all."""
    data = build(config(*SETTING).data)
    data.prepare_data()
    scores = Scores(build(config(name="eval").features), data)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "limit_val_batches": 0}
    for seed in range(n_runs):
        torch.manual_seed(seed)
        cfg = config(*SETTING, f"trainer.max_steps={N_STEPS}", f"seed={seed}")
        build(cfg.trainer, callbacks=[scores], **quiet).fit(build(cfg.model), build(cfg.data))
    return list(zip(scores.found[::2], scores.found[1::2], strict=True))


def share(n: int, holds) -> str:
    """Of n trials in how many something holds, with the 95% interval of the share."""
    p = sum(holds() for _ in range(n)) / n
    return f"{p:.1%} ± {NORMAL * sqrt(p * (1 - p) / n):.1%} of {n}"


def groups(values, n: int) -> list[dict[int, float]]:
    """n settings of 5 runs each, no run in two of them."""
    drawn = random.sample(values, n * N_SEEDS)
    return [dict(enumerate(drawn[i : i + N_SEEDS])) for i in range(0, len(drawn), N_SEEDS)]


def is_any_told_apart(values, n: int) -> bool:
    return any(place != (1, n) for place in places(groups(values, n)))


def is_shorter_below(pairs) -> bool:
    (drawn,) = groups(pairs, 1)
    shorter, whole = ({seed: pair[i] for seed, pair in drawn.items()} for i in (0, 1))
    return places([whole, shorter]) == [(1, 1), (2, 2)]


if __name__ == "__main__":
    quieten()
    keep_freed_memory()
    logging.disable(logging.WARNING)
    random.seed(0)
    start = perf_counter()
    pairs = trained(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
    whole = [last for _, last in pairs]
    deviation, seconds = stdev(whole), perf_counter() - start
    effect = fmean(early - last for early, last in pairs) / deviation
    print(f"{len(pairs)} runs in {seconds:.0f} s: {fmean(whole):.1f}, standard deviation over seeds {deviation:.1f}")
    print(f"pairs that differ by seeds alone, told apart: {share(2 * N_TABLES, partial(is_any_told_apart, whole, 2))}")
    print(f"tables of six of these, any told apart: {share(N_TABLES, partial(is_any_told_apart, whole, 6))}")
    print(f"10% shorter, {effect:.1f} deviations worse, told: {share(2 * N_TABLES, partial(is_shorter_below, pairs))}")
