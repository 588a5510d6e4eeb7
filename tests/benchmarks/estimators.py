"""Which distance of few samples orders models as the Fréchet distance of many does.

`python tests/benchmarks/estimators.py SWEEP [N]`: the folder of a sweep whose runs are of one data set with classes,
and how many samples are many, by default 50,000. The features are those of a small classifier of these classes, in
which so many samples are described in seconds. Each candidate measures each run by five sets of 1,000 samples; by each
set it orders all runs. Kendall's tau says how far that is the order of the many: 1 for the same, 0 for none.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev
from time import perf_counter

import contest  # noqa: F401  # first: it puts src and tests on the path

# isort: split
import torch
from scipy.stats import kendalltau
from torch import Generator, Tensor

from genlab.commands.load import load_run
from genlab.commands.machine import quieten
from genlab.evaluation.second_opinion import questions
from genlab.images import to_uint8
from genlab.metrics.classifier import ClassifierFeatures, trained_classifier
from genlab.metrics.frechet import frechet_distance
from genlab.metrics.kernel import kernel_distance
from genlab.moments import Moments, symmetric_root
from genlab.sampling import sampler

FEW, N_SETS, AT_ONCE = 1000, 5, 500


def moments(features: Tensor) -> Moments:
    found = Moments(features.shape[1], torch.float64)
    found.update(features)
    return found


def sliced_wasserstein(reals: Tensor, n_directions: int = 200) -> Callable[[Tensor], float]:
    """The mean over random directions of the squared 2-Wasserstein distance on a line (Bonneel et al. 2015)."""
    directions = torch.nn.functional.normalize(
        torch.randn(reals.shape[1], n_directions, generator=Generator().manual_seed(0)), dim=0
    )
    levels = (torch.arange(FEW) + 0.5) / FEW
    rows = (levels * len(reals)).long()  # of sorted reals: the middle of each part of as many as a sample stands for
    quantiles = torch.cat([(reals @ part).sort(0).values[rows] for part in directions.split(50, 1)], 1)
    return lambda few: ((few @ directions).sort(0).values - quantiles).square().mean().item()


def candidates(reals: Tensor) -> dict[str, Callable[[Tensor], float]]:
    """Distances of samples (n, D) from the reals (N, D)."""
    known = moments(reals)
    root = symmetric_root(known.cov)
    part = reals[torch.randperm(len(reals), generator=Generator().manual_seed(0))[: 2 * FEW]]
    return {
        "Fréchet distance": lambda few: frechet_distance(known, moments(few), root),
        "of the means alone": lambda few: (few.mean(0) - known.mean).square().sum().item(),
        "kernel distance (cubic, of 2,000 reals)": lambda few: kernel_distance(few, part, 1, FEW)[0],
        "sliced Wasserstein distance": sliced_wasserstein(reals),
    }


@torch.no_grad()
def described(images: Callable[[slice], Tensor], n: int, encoder: ClassifierFeatures) -> Tensor:
    """Features (n, D)."""
    return torch.cat([encoder(images(slice(i, min(i + AT_ONCE, n)))) for i in range(0, n, AT_ONCE)])


if __name__ == "__main__":
    quieten()
    folders = [path.parent for path in sorted(Path(sys.argv[1]).glob("*/summary.json"))]
    many = int(sys.argv[2]) if len(sys.argv) > 2 else 50_000
    runs = {folder.name: run for folder in folders if not (run := load_run(str(folder))).config.get("prior")}
    data = next(iter(runs.values())).datamodule
    images = data.images("train")
    classifier = trained_classifier(images, *questions(data.labels("train").cpu(), data.name), "cpu", None)
    encoder = ClassifierFeatures(classifier, "")
    distances = candidates(described(images.__getitem__, len(images), encoder))
    truth, found = [], {name: [] for name in distances}
    seconds = dict.fromkeys(distances, 0.0)
    for name, run in runs.items():
        draw = sampler(run.model, data, many, Generator().manual_seed(0))
        features = described(lambda rows, draw=draw: to_uint8(draw(rows)), many, encoder)
        truth.append(distances["Fréchet distance"](features))
        for candidate, distance in distances.items():
            start = perf_counter()
            found[candidate].append([distance(few) for few in features[: N_SETS * FEW].split(FEW)])
            seconds[candidate] += perf_counter() - start
        print(f"{name}: {truth[-1]:.2f}", file=sys.stderr)
    print(f"{len(runs)} runs of {data.name}, ordered by {FEW:,} samples against the Fréchet distance of {many:,}")
    print(f"{'distance':<42}{'tau':>16}{'ms a run':>12}")
    for candidate, values in found.items():
        taus = [kendalltau(truth, column).statistic for column in zip(*values, strict=True)]
        cost = seconds[candidate] / len(runs) / N_SETS * 1000
        print(f"{candidate:<42}{fmean(taus):>8.3f} ± {stdev(taus):.3f}{cost:>12.1f}")
