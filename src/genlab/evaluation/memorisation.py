"""Whether samples are new, varied, and of all classes."""

from collections.abc import Iterator

import torch
from torch import Tensor

from genlab.evaluation.applicable import NotApplicable
from genlab.evaluation.subject import Subject
from genlab.metrics import class_shares, feature_diversity, memorisation, total_variation
from genlab.stamp import Measurement


class Diversity:
    """Mean squared distance between two samples relative to that between two images of the reference."""

    needs_features = False

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        """Measure the samples."""
        subject.require(2)
        if subject.reals.moments.cov.trace() <= 0:
            raise NotApplicable(f"all {subject.reference} images look alike: nothing varies as they do")
        stamp = subject.stamp("diversity", subject.reference, True, n_fake=len(subject.fakes))
        yield Measurement(feature_diversity(subject.fakes.moments, subject.reals.moments), stamp)


class Memorisation:
    """P(a sample lies closer to the training set than a held-out image does) (Meehan et al. 2020).

    0.5: samples are as new as held-out images; 1: they are copies of training images.
    """

    needs_features = True

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        """Measure the samples."""
        samples, held_out = subject.nearest_to_fakes[0], subject.nearest_to_held_out[0]
        fields = {"n_fake": len(samples), "settings": f"beside {len(held_out)} {subject.split} images"}
        stamp = subject.stamp("memorisation", subject.reference, True, **fields)
        yield Measurement(memorisation(samples, held_out), stamp)


class Classes:
    """Classes of the samples, each that of its nearest training image, against those of the data.

    The total variation is the share of samples that would have to change their class: dropped modes show there. How far
    a nearest neighbour can be trusted is told by held-out images. The entries are the shares of the classes. Images
    without a label (-1) count for nothing.
    """

    needs_features = True

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        """Measure the samples."""
        labels = subject.datamodule.labels(subject.reference)
        if labels.ndim != 1 or len(labels[labels >= 0].unique()) < 2:
            raise NotApplicable(f"the {subject.reference} images of {subject.datamodule.name} have no classes, or one")
        samples, held_out = subject.nearest_to_fakes[1], subject.nearest_to_held_out[1]
        n_classes = int(labels.max()) + 1
        found, expected = (part[part >= 0] for part in (labels[samples], labels))
        if len(found) == 0:
            raise NotApplicable(f"no sample of {subject.name} lies next to an image with a class")
        fields = {"n_fake": len(found), "settings": "class of the nearest training image"}
        stamp = subject.stamp("class_total_variation", subject.reference, True, **fields)
        found, expected = (class_shares(part, n_classes) for part in (found, expected))
        note = _trust(labels[held_out], subject.datamodule.labels(subject.split))
        yield Measurement(total_variation(found, expected), stamp, "lower", note=note, entries=tuple(found.tolist()))


def _trust(found: Tensor, expected: Tensor) -> str:
    has_both = (found >= 0) & (expected >= 0)
    if not has_both.any():
        return ""
    accuracy = torch.eq(found, expected)[has_both].double().mean().item()
    return f"the nearest training image has the class of a held-out one in {accuracy:.1%} of cases"
