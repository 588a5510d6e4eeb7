"""How samples compare with the data, most of it in the features of an encoder: one pass for all of these."""

from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version

import torch

from genlab.bounds import AtLeastTwo, PositiveInt
from genlab.evaluation.measure import Measure, mean_of
from genlab.evaluation.subject import NotApplicable, Subject, too_few
from genlab.metrics import (
    class_shares,
    inception_score,
    kernel_distance,
    manifold_metrics,
    memorisation,
    total_variation,
)
from genlab.metrics.kernel import kernel_influence
from genlab.metrics.population import frechet_with_error
from genlab.moments import some_of, standard_error
from genlab.protocols import FeatureEncoder
from genlab.stamp import Measurement

FIDELITY = f"torch-fidelity {version('torch-fidelity')}"


class Frechet(Measure):
    """The Fréchet distance: `fid` in Inception's features, `fd_NAME` in others (Heusel et al. 2017, eq. 6)."""

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        subject.require(2)
        encoder, n = subject.encoder, len(subject.fakes)
        stamp = subject.stamp(encoder.metric, subject.reference, encoded=True, n_fake=n)
        value, error = frechet_with_error(subject.fakes, subject.reals)
        yield Measurement(value, stamp, "lower", note=bias_note(n, encoder), error=error)


class Kernel(Measure):
    """The kernel distance (Binkowski et al. 2018), which few samples do not bias.

    `kid` in Inception's features, which the name stands for; `kd_NAME` in others.

    Args:
        n_subsets: pairs of subsets that are averaged over.
        subset_size: images in each of them.
    """

    needs_features = True

    def __init__(self, n_subsets: PositiveInt = 100, subset_size: AtLeastTwo = 1000) -> None:
        self.n_subsets = n_subsets
        self.subset_size = subset_size

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        subject.require(2)
        fakes, reals = subject.features
        size = min(self.subset_size, len(fakes), len(reals))
        value, spread = kernel_distance(fakes, reals, self.n_subsets, size, subject.seed)
        settings = f"{self.n_subsets} subsets of {size}, {FIDELITY}"
        metric = kernel_name(subject.encoder.metric)
        stamp = subject.stamp(metric, subject.reference, True, n_fake=len(fakes), settings=settings)
        error = standard_error(kernel_influence(some_of(fakes), fakes, reals), len(fakes))
        yield Measurement(value, stamp, "lower", spread, error=error)


class Manifold(Measure):
    """Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020).

    They take as many real images as there are samples, from all over the reference, or as many of both as there are
    real ones.

    Args:
        k: nearest neighbours that span a ball, for precision and recall.
        k_density: the same for density and coverage.
    """

    needs_features = True

    def __init__(self, k: PositiveInt = 3, k_density: PositiveInt = 5) -> None:
        self.k = k
        self.k_density = k_density

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        fakes, reals = subject.features
        n = min(len(fakes), len(reals))
        subject.require(max(self.k, self.k_density) + 1)  # neighbours, and the image itself
        found, errors = manifold_metrics(fakes[:n], some_of(reals, n), self.k, self.k_density)
        for name, value, error in zip(found._fields, found, errors, strict=True):
            settings = f"k={self.k_density if name in ('density', 'coverage') else self.k}"
            stamp = subject.stamp(name, subject.reference, True, n_real=n, n_fake=n, settings=settings)
            yield Measurement(value, stamp, "higher", error=error)


class InceptionScore(Measure):
    """The Inception score (Salimans et al. 2016), which needs the classes of an Inception network.

    Args:
        n_splits: parts that the samples are divided into.
    """

    needs_features = True

    def __init__(self, n_splits: PositiveInt = 10) -> None:
        self.n_splits = n_splits

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        if not hasattr(subject.encoder, "with_logits"):
            raise NotApplicable(f"{subject.encoder.name} gives no classes: type features=inception")
        logits = subject.fakes.logits
        assert logits is not None
        if reason := too_few(self.n_splits, samples=len(logits)):
            raise NotApplicable(reason)
        value, spread = inception_score(logits, self.n_splits)
        settings = f"{self.n_splits} splits, {FIDELITY}"
        stamp = subject.stamp("inception_score", subject.reference, True, n_fake=len(logits), settings=settings)
        error = spread / self.n_splits**0.5 if self.n_splits > 1 else None
        yield Measurement(value, replace(stamp, images=None, split=None, n_real=None), "higher", spread, error=error)


class Memorisation(Measure):
    """P(a sample lies closer to the training set than a held-out image does) (Meehan et al. 2020).

    0.5: samples are as new as held-out images; 1: they are copies of training images.
    """

    needs_features = True

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        samples, held_out = subject.nearest_to_fakes[0], subject.nearest_to_held_out[0]
        fields = {"n_fake": len(samples), "settings": f"beside {len(held_out)} {subject.split} images"}
        stamp = subject.stamp("memorisation", subject.reference, True, **fields)
        yield mean_of(memorisation(samples, held_out), stamp)


class Classes(Measure):
    """Classes of the samples, each that of its nearest training image, against those of the data.

    The total variation is the share of samples that would have to change their class: dropped modes show there. How far
    a nearest neighbour can be trusted is told by held-out images. The entries are the shares of the classes. Images
    without a label (-1) count for nothing.
    """

    needs_features = True

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        labels = subject.datamodule.labels(subject.reference)
        if labels.ndim != 1 or len(labels[labels >= 0].unique()) < 2:
            raise NotApplicable(f"the {subject.reference} images of {subject.datamodule.name} have no classes, or one")
        found = labels[subject.nearest_to_fakes[1]]
        found = found[found >= 0]
        if len(found) == 0:
            raise NotApplicable(f"no sample of {subject.name} lies next to an image with a class")
        fields = {"n_fake": len(found), "settings": "class of the nearest training image"}
        stamp = subject.stamp("class_total_variation", subject.reference, True, **fields)
        shares, expected = (class_shares(part, int(labels.max()) + 1) for part in (found, labels[labels >= 0]))
        value, entries = total_variation(shares, expected), tuple(shares.tolist())
        error = standard_error(0.5 * (shares - expected).sign()[found]) if len(found) > 1 else None
        yield Measurement(value, stamp, "lower", note=self._trust(subject, labels), entries=entries, error=error)

    def _trust(self, subject: Subject, labels: torch.Tensor) -> str:
        found, expected = labels[subject.nearest_to_held_out[1]], subject.datamodule.labels(subject.split)
        has_both = (found >= 0) & (expected >= 0)
        if not has_both.any():
            return ""
        accuracy = torch.eq(found, expected)[has_both].double().mean().item()
        return f"the nearest training image has the class of a held-out one in {accuracy:.1%} of cases"


def kernel_name(frechet: str) -> str:
    """The name of the kernel distance, by that of the Fréchet distance in the same features."""
    return "kid" if frechet == "fid" else frechet.replace("fd_", "kd_", 1)


def bias_note(n: int, encoder: FeatureEncoder) -> str:
    """What to mind about a Fréchet distance of n images in the features of an encoder."""
    if n >= encoder.dim:
        return ""
    kernel = f"{kernel_name(encoder.metric)} (metrics=full)"
    return f"{n} images for {encoder.dim} features: comparable at equal numbers alone; {kernel} has no such bias"
