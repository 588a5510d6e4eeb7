"""Two opinions on runs on one data set: `python tests/benchmarks/opinions.py RUN RUN`.

The Fréchet distance of 1,000 samples from the training images, in the features of the default encoder, and in those of
a small classifier that has been trained on these images and their classes.
"""

import sys
from typing import Any

import contest  # noqa: F401  # first: it puts src and tests on the path

# isort: split
import torch
from torch import Generator, Tensor

from genlab.commands.load import load_run
from genlab.images import to_float, to_uint8
from genlab.metrics.classifier import Classifier, trained_classifier
from genlab.metrics.encoders import EfficientNetLite0
from genlab.metrics.population import feature_statistics, frechet
from genlab.sampling import sampler

N_SAMPLES, BATCH_SIZE = 1000, 100


class Penultimate(torch.nn.Module):
    """What a classifier knows of an image before it decides."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.layers, self.dim = classifier.eval().layers[:-1], classifier.layers[-1].in_features

    def forward(self, images: Tensor) -> Tensor:
        """Map uint8 images (B, C, H, W) to features (B, dim)."""
        return self.layers(to_float(images))


@torch.no_grad()
def distance(run: Any, encoder: Any) -> float:
    """The Fréchet distance of samples of a run from its training images."""
    reals = run.datamodule.images("train")
    samples = sampler(run.model, run.datamodule, N_SAMPLES, Generator().manual_seed(0))
    how = (encoder, BATCH_SIZE, "cpu")
    fakes = feature_statistics(lambda rows: to_uint8(samples(rows)), N_SAMPLES, *how)
    return frechet(fakes, feature_statistics(reals.__getitem__, len(reals), *how))


if __name__ == "__main__":
    runs = {path: load_run(path) for path in sys.argv[1:]}
    data = next(iter(runs.values())).datamodule
    labels = data.labels("train")[:, None]
    classifier = trained_classifier(data.images("train"), labels, [int(labels.max()) + 1], "cpu", None)
    for path, run in runs.items():
        print(path, *(f"{distance(run, encoder):.4g}" for encoder in (EfficientNetLite0(), Penultimate(classifier))))
