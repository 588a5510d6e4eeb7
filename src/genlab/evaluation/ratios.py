"""What samples have relative to the data: detail, and variety."""

from collections.abc import Iterator
from typing import Any

from genlab.evaluation.measure import Measure
from genlab.evaluation.subject import NotApplicable, Subject
from genlab.metrics import feature_diversity
from genlab.metrics.population import Population
from genlab.moments import standard_error
from genlab.protocols import Reconstructs
from genlab.stamp import Measurement

FLAT = 1e-12  # energy in grey levels^2 on [0, 1]: that of rounding, a ten-thousandth of one pixel a level off


class Sharpness(Measure):
    """High-frequency energy relative to the data's: 1 is as sharp, below is blurred, above noisy.

    The mean of all images that fit a code is blurred: the regression to the mean, as a number.
    """

    def __call__(self, subject: Subject) -> Iterator[Measurement | NotApplicable]:
        yield self._ratio(subject, "samples", subject.reference, subject.fakes, subject.reals)
        if isinstance(subject.model, Reconstructs):
            fakes, reals = subject.reconstructions, subject.held_out
            yield self._ratio(subject, "reconstructions", subject.split, fakes, reals, prior=None)

    def _ratio(
        self, subject: Subject, what: str, split: str, fakes: Population, reals: Population, **fields: Any
    ) -> Measurement | NotApplicable:
        metric = f"sharpness_{what}"
        if reals.energy < FLAT:
            return NotApplicable(f"the {split} images have no fine detail to compare with", metric)
        stamp = subject.stamp(metric, split, n_fake=len(fakes), **fields)
        return Measurement(fakes.energy / reals.energy, stamp, error=fakes.energy_error / reals.energy)


class Diversity(Measure):
    """Mean squared distance between two samples relative to that between two images of the reference."""

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        subject.require(2)
        if subject.reals.moments.cov.trace() <= 0:
            raise NotApplicable(f"all {subject.reference} images look alike: nothing varies as they do")
        stamp = subject.stamp("diversity", subject.reference, True, n_fake=len(subject.fakes))
        value, features = feature_diversity(subject.fakes.moments, subject.reals.moments), subject.fakes.features
        error = None
        if features is not None:
            own = (features.double() - subject.fakes.moments.mean).square().sum(1)
            error = standard_error(own / subject.reals.moments.cov.trace())
        yield Measurement(value, stamp, error=error)
