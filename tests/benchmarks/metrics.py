"""Speed and memory of scores: `python tests/benchmarks/metrics.py [PART ...]`. Takes some minutes.

Parts: memory, frechet, share; all of them where none is named.

A ratio is the median over the rounds, with the lowest and the highest; above 1 the first contestant is faster.
"""

import logging
import resource
import sys
import tempfile
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from time import perf_counter
from typing import Any

from contest import compare, header, timed  # first: it puts src and tests on the path

# isort: split
import scipy.linalg
import torch
from random_weights import write_random_weights
from settings import config
from torch import Tensor
from torchmetrics.image.fid import _compute_fid

from genlab.commands.evaluate import evaluate
from genlab.commands.machine import quieten
from genlab.commands.train import train
from genlab.metrics import EfficientNetLite0, Inception, frechet_distance, frechet_distance_of_few
from genlab.metrics.population import feature_statistics
from genlab.models import VAE
from genlab.moments import Moments, symmetric_root

DIM, MANY, FEW = 2048, 5000, 1000


def moments(features: Tensor) -> Moments:
    """Those of vectors (n, D)."""
    found = Moments(features.shape[1], torch.float64)
    found.update(features)
    return found


def frechet() -> None:
    """The Fréchet distance at 2,048 dimensions, its reference known beforehand."""
    generator = torch.Generator().manual_seed(0)
    mix = torch.randn(DIM, DIM, generator=generator) / DIM**0.5
    real, fake = (torch.randn(MANY, DIM, generator=generator) @ mix for _ in range(2))
    reference, samples, few = moments(real), moments(fake), fake[:FEW]
    root = symmetric_root(reference.cov)
    ours = timed(lambda: frechet_distance(reference, samples, root))
    parts = (samples.mean, samples.cov, reference.mean, reference.cov)
    compare("Fréchet distance, root of the reference cached / torchmetrics", ours, timed(lambda: _compute_fid(*parts)))
    product = (samples.cov @ reference.cov).numpy()
    compare("the same / scipy.linalg.sqrtm", ours, timed(lambda: scipy.linalg.sqrtm(product)), rounds=3)
    by_gram = timed(lambda: frechet_distance_of_few(reference, few))
    whole = timed(lambda: frechet_distance(reference, moments(few), root))
    compare(f"{FEW} samples: through their Gram matrix / with the cached root", by_gram, whole)


class Wide:
    """An encoder that takes no time, with as many features as Inception."""

    name, metric, layer, library, resize, dim = "wide", "fd_wide", "pixels", "benchmark", "none", DIM

    def __call__(self, images: Tensor) -> Tensor:
        return images.float().flatten(1).repeat(1, 3)[:, :DIM]


def memory() -> None:
    """What a score of 10 times as many images adds to the peak of the resident memory."""
    image = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    peaks = []
    for n in (5_000, 50_000):
        feature_statistics(lambda rows: image.expand(rows.stop - rows.start, -1, -1, -1), n, Wide(), 100, "cpu")
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(f"{'memory: 50,000 images instead of 5,000 add to the peak (MB)':75s} {peaks[1] - peaks[0]:6.0f}")


class Stopwatch:
    """Adds up the seconds that some methods take."""

    def __init__(self) -> None:
        self.seconds, self._depth = 0.0, 0

    def watch(self, owner: Any, name: str) -> None:
        """Time a method wherever it is called, but not within another timed one."""
        method = getattr(owner, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            start, self._depth = perf_counter(), self._depth + 1
            try:
                return method(*args, **kwargs)
            finally:
                self._depth -= 1
                self.seconds += perf_counter() - start if self._depth == 0 else 0.0

        setattr(owner, name, watched)


def share() -> None:
    """How much of an evaluation is spent in the encoder and the model.

    Inception is so slow on a CPU that 300 samples have to do: what does not grow with their number counts for more.
    """
    folder = Path(tempfile.mkdtemp())
    weights = folder / "inception.pth"
    Inception.sha256 = write_random_weights("inception", weights)
    stopwatch = Stopwatch()
    for owner, names in (
        (VAE, ("decode", "posterior", "importance", "losses")),
        (EfficientNetLite0, ("forward",)),
        (Inception, ("forward", "with_logits")),
    ):
        for name in names:
            stopwatch.watch(owner, name)
    for limit, *overrides in (
        ("null", "metrics=quick", "metrics.n_samples=5000"),
        ("null", "metrics=full", "metrics.n_samples=5000"),
        ("150", "metrics=full", "metrics.n_samples=300", "features=inception", f"features.weights={weights}"),
    ):
        paths = ("trainer=cpu", f"paths.data_dir={folder}")
        run = Path(tempfile.mkdtemp())
        few = ("trainer.max_epochs=1", "callbacks=checkpoint", f"data.limit={limit}")
        train(config(*paths, *few, run_dir=run))
        for reference in ("new", "cached"):
            stopwatch.seconds, start = 0.0, perf_counter()
            with redirect_stdout(StringIO()):
                evaluate(config(*paths, *overrides, f"run={run}", run_dir=run, name="eval"))
            seconds = perf_counter() - start
            print(f"{' '.join(overrides[:3])}, reference {reference} ({seconds:.0f} s):")
            print(f"{'    share of encoder and model':75s} {stopwatch.seconds / seconds:6.2f}", flush=True)


if __name__ == "__main__":
    quieten()
    logging.disable(logging.WARNING)
    header()
    for part in sys.argv[1:] or ("memory", "frechet", "share"):
        globals()[part]()
