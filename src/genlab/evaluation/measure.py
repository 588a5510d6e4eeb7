"""Measures applied to a subject."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from rich.console import Console

from genlab.evaluation.subject import NotApplicable, Subject
from genlab.secrets import redacted
from genlab.stamp import Measurement


class Measure(Protocol):
    """One or more metrics that are worked out together."""

    needs_features: bool  # whether each image's features have to be kept

    def __call__(self, subject: Subject) -> Iterator[Measurement]:
        """Measure a subject.

        Raises:
            NotApplicable: if it has nothing to measure.
        """


@dataclass
class Evaluation:
    """What was found out about one subject."""

    name: str  # the path that was asked for
    kind: str  # class of the model, or "images"
    measurements: dict[str, Measurement] = field(default_factory=dict)  # by metric
    not_applicable: dict[str, str] = field(default_factory=dict)  # measures, with the reason

    def as_dict(self) -> dict[str, Any]:
        """Plain containers for a JSON file."""
        metrics = {name: measurement.as_dict() for name, measurement in self.measurements.items()}
        return {"name": self.name, "kind": self.kind, "metrics": metrics, "not_applicable": self.not_applicable}


def measured(subject: Subject, measures: Mapping[str, Measure]) -> Evaluation:
    """Apply all measures that a subject has something for."""
    kind = "images" if subject.model is None else type(subject.model).__name__
    evaluation = Evaluation(redacted(subject.name), kind)
    for name, measure in measures.items():
        try:
            with Console().status(f"{name} of {subject.name}"):
                found = list(measure(subject))
        except NotApplicable as reason:
            evaluation.not_applicable[name] = str(reason)
        else:
            evaluation.measurements |= {measurement.stamp.metric: measurement for measurement in found}
    return evaluation
