"""Another judge of samples than the encoder that scores them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from genlab.data.arrays import fingerprint
from genlab.data.decode import UNLABELLED
from genlab.evaluation.measure import Measure
from genlab.evaluation.samples import bias_note
from genlab.evaluation.subject import NotApplicable, Subject
from genlab.metrics.classifier import ClassifierFeatures, trained_classifier
from genlab.metrics.population import MOST_KEPT, feature_statistics, frechet_with_error
from genlab.metrics.reference import reference
from genlab.protocols import FeatureEncoder
from genlab.stamp import Measurement, encoder_fields


class SecondOpinion(Measure):
    """The Fréchet distance in other features, by default those of a small classifier of the data's own labels.

    No model was trained or chosen by it, and it looks at other things than an encoder of photographs does. Where both
    agree on an order, that is less likely to be an encoder's taste. It is trained once on the training images.

    Args:
        encoder: another one than the classifier.
    """

    def __init__(self, encoder: FeatureEncoder | None = None) -> None:
        self.encoder = encoder

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        subject.require(2)
        encoder = _classifier(subject) if self.encoder is None else self.encoder.to(subject.device)
        n, how = subject.n_samples, (subject.batch_size, subject.device)
        fakes = feature_statistics(subject.samples, n, encoder, *how, keep=n <= MOST_KEPT)
        reals = reference(subject.datamodule.images(subject.reference), encoder, *how, subject.cache_dir)
        judge: dict[str, Any] = encoder_fields(encoder)
        stamp = replace(subject.stamp(encoder.metric, subject.reference, n_fake=n), **judge)
        value, error = frechet_with_error(fakes, reals)
        yield Measurement(value, stamp, "lower", note=bias_note(n, encoder), error=error)


def _classifier(subject: Subject) -> FeatureEncoder:
    data = subject.datamodule
    answers, n_choices = questions(data.labels("train").cpu(), data.name)
    images = data.images("train")
    classifier = trained_classifier(images, answers, n_choices, subject.device, subject.cache_dir)
    return ClassifierFeatures(classifier, fingerprint(images))


def questions(labels: Tensor, name: str) -> tuple[Tensor, list[int]]:
    """Answers (N, questions) and how many each question has: one question for classes, one for each attribute."""
    if labels.ndim == 1 and len(labels[labels != UNLABELLED].unique()) > 1:
        return labels[:, None], [int(labels.max()) + 1]
    if labels.ndim == 2 and torch.isin(labels, torch.tensor([UNLABELLED, 0, 1])).all():
        return labels, [2] * labels.shape[1]
    raise NotApplicable(f"the images of {name} have no classes or attributes to train a classifier on")
