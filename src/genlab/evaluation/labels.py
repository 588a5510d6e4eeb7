"""Whether a conditional model makes what it is asked for."""

from collections.abc import Callable, Iterator
from math import hypot
from typing import Any

import torch
from torch import Tensor

from genlab.bounds import AtLeastTwo
from genlab.conditioning import condition_of
from genlab.distributed import in_batches
from genlab.errors import listed
from genlab.evaluation.measure import Measure, mean_of
from genlab.evaluation.subject import NotApplicable, Subject
from genlab.images import to_float
from genlab.metrics.classifier import NAME, Classifier, trained_classifier
from genlab.metrics.population import Population, frechet_with_error
from genlab.moments import Moments
from genlab.stamp import Measurement


class PerLabel(Measure):
    """The Fréchet distance of the samples of each class from its images, or of each attribute; and their mean.

    Args:
        n_images: samples and images that a class needs; others are left out.
    """

    needs_features = True

    def __init__(self, n_images: AtLeastTwo = 50) -> None:
        self.n_images = n_images

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        condition, labels = _asked(subject)
        fakes, reals = subject.features
        own, wanted = subject.datamodule.labels(subject.reference), labels.cpu()
        groups = {name: (condition.has(wanted, name), condition.has(own, name)) for name in condition.groups}
        enough = {n: g for n, g in groups.items() if min(int(part.sum()) for part in g) >= self.n_images}
        if not enough:
            raise NotApplicable(f"no label has {self.n_images} samples and as many {subject.reference} images")
        pairs = [(_population(fakes[made]), _population(reals[real])) for made, real in enough.values()]
        found, errors = zip(*(frechet_with_error(*pair) for pair in pairs), strict=True)
        n_made = sum(int(made.sum()) for made, _ in enough.values())
        settings = f"mean over {len(enough)} of {len(groups)} labels, of {self.n_images} images or more each"
        metric = f"{subject.encoder.metric}_per_label"
        stamp = subject.stamp(metric, subject.reference, True, n_fake=n_made, settings=settings)
        each = listed([f"{name} {value:.4g}" for name, value in zip(enough, found, strict=True)], most=40)
        note = f"{each}; few images bias each of them upwards: comparable at equal numbers alone"
        value, error = sum(found) / len(found), hypot(*(error or 0.0 for error in errors)) / len(errors)
        yield Measurement(value, stamp, "lower", note=note, entries=found, error=error)


class LabelAccuracy(Measure):
    """The share of samples in which a classifier finds the class that was asked for; of attributes the mean share.

    The classifier is a small network, trained once on the training images, whose own accuracy on held-out images is
    the most that can be expected.
    """

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        condition, labels = _asked(subject)
        if not condition.n_choices:
            raise NotApplicable("numbers are not told right or wrong")
        data = subject.datamodule
        answers = condition.answers(data.labels("train").cpu())
        how = (condition.n_choices, subject.device, subject.cache_dir)
        classifier = trained_classifier(data.images("train"), answers, *how)
        held_out, own = data.images(subject.split), condition.answers(data.labels(subject.split).cpu())
        known = _right(classifier, subject, lambda rows: held_out[rows], own).mean()
        found = _right(classifier, subject, subject.samples, condition.answers(labels.cpu()))
        settings = f"{NAME} on {len(answers)} images"
        stamp = subject.stamp("label_accuracy", "train", n_fake=len(labels), settings=settings)
        note = f"the classifier finds the label of {known:.1%} of {len(own)} {subject.split} images"
        yield mean_of(found, stamp, "higher", note=note)


def _right(classifier: Classifier, subject: Subject, images: Callable[[slice], Tensor], answers: Tensor) -> Tensor:
    """The share of right answers (N, questions) about each uint8 image, those of -1 and images without any left out."""

    def right(_: int, rows: slice) -> Tensor:
        x = to_float(images(rows).to(subject.device))
        return classifier.correct(x, answers[rows].to(subject.device)).double().cpu()

    with torch.no_grad():
        shares = torch.cat(list(in_batches(right, len(answers), subject.batch_size))).nanmean(1)
    return shares[~shares.isnan()]


def _asked(subject: Subject) -> tuple[Any, Tensor]:
    """What the model is told, and the labels of the samples."""
    condition = condition_of(subject.model)
    if condition is None or subject.labels is None:
        raise NotApplicable("the samples were not asked for by a label")
    return condition, subject.labels


def _population(features: Tensor) -> Population:
    moments = Moments(features.shape[1], torch.float64)
    moments.update(features)
    return Population(moments, 0.0, features)
