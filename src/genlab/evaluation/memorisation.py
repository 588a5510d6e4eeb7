"""Whether samples are new, varied, and of all classes."""

from collections.abc import Iterator

import torch

from genlab.evaluation.measure import Measure
from genlab.evaluation.subject import NotApplicable, Subject
from genlab.metrics import class_shares, diversity, memorisation, total_variation
from genlab.stamp import Measurement


class Diversity(Measure):
    """Mean squared distance between two samples relative to that between two images of the reference."""

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        subject.require(2)
        if subject.reals.moments.cov.trace() <= 0:
            raise NotApplicable(f"all {subject.reference} images look alike: nothing varies as they do")
        stamp = subject.stamp("diversity", subject.reference, True, n_fake=len(subject.fakes))
        yield Measurement(diversity(subject.fakes.moments, subject.reals.moments), stamp)


class Memorisation(Measure):
    """P(a sample lies closer to the training set than a held-out image does) (Meehan et al. 2020).

    0.5: samples are as new as held-out images; 1: they are copies of training images.
    """

    needs_features = True

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        samples, held_out = subject.nearest_to_fakes[0], subject.nearest_to_held_out[0]
        fields = {"n_fake": len(samples), "settings": f"beside {len(held_out)} {subject.split} images"}
        stamp = subject.stamp("memorisation", subject.reference, True, **fields)
        yield Measurement(memorisation(samples, held_out), stamp)


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
        yield Measurement(value, stamp, "lower", note=self._trust(subject, labels), entries=entries)

    def _trust(self, subject: Subject, labels: torch.Tensor) -> str:
        found, expected = labels[subject.nearest_to_held_out[1]], subject.datamodule.labels(subject.split)
        has_both = (found >= 0) & (expected >= 0)
        if not has_both.any():
            return ""
        accuracy = torch.eq(found, expected)[has_both].double().mean().item()
        return f"the nearest training image has the class of a held-out one in {accuracy:.1%} of cases"
