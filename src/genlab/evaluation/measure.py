"""Measures applied to a subject."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from rich.text import Text
from torch import Tensor

from genlab.console import console
from genlab.evaluation.subject import NotApplicable, Subject
from genlab.moments import standard_error
from genlab.redaction import redact
from genlab.stamp import Measurement, Stamp


@runtime_checkable
class Measure(Protocol):
    """One or more metrics that are computed together."""

    needs_features: bool = False  # whether the features of each image have to be kept, and not their moments alone

    def __call__(self, subject: Subject) -> Iterator[Measurement | NotApplicable]:
        """Yield the metrics of a subject; where one of several is not applicable, yield that in its place.

        Raises:
            NotApplicable: if there is nothing to measure.
        """


@dataclass
class Evaluation:
    """The results of one subject."""

    name: str  # the path that was asked for
    kind: str  # class of the model, or "images"
    measurements: dict[str, Measurement] = field(default_factory=dict)  # by metric
    not_applicable: dict[str, str] = field(default_factory=dict)  # measures and metrics, with the reason
    config: dict[str, Any] = field(default_factory=dict)  # by which its protocol can be followed again

    def as_dict(self) -> dict[str, Any]:
        """Plain containers for a JSON file."""
        metrics = {name: measurement.as_dict() for name, measurement in self.measurements.items()}
        texts = {"not_applicable": self.not_applicable, "config": self.config}
        return {"name": self.name, "kind": self.kind, "metrics": metrics, **texts}


def mean_of(values: Tensor, stamp: Stamp, better: str = "", **more: Any) -> Measurement:
    """The mean of values (n,), one an image, with its standard error over other images."""
    error = standard_error(values) if len(values) > 1 else None
    return Measurement(values.double().mean().item(), stamp, better, error=error, **more)


def apply_measures(subject: Subject, measures: Mapping[str, Measure]) -> Evaluation:
    """Apply all measures that a subject has something for."""
    kind = "images" if subject.model is None else type(subject.model).__name__
    evaluation = Evaluation(redact(subject.name), kind)
    for name, measure in measures.items():
        try:
            with console().status(Text(f"{name} of {evaluation.name}", no_wrap=True, overflow="ellipsis")):
                found = list(measure(subject))
        except NotApplicable as reason:
            found = [reason]
        for result in found:
            if isinstance(result, NotApplicable):
                evaluation.not_applicable[result.metric or name] = str(result)
            else:
                evaluation.measurements[result.stamp.metric] = result
    return evaluation
