"""What a search minimises or maximises: numbers that the runs leave in `summary.json`."""

from collections.abc import Iterator, Mapping
from math import isnan
from typing import Any

from genlab.errors import UsageError

SCORE = {"score": "minimize"}
EXAMPLE = "hydra.sweeper.objectives={score:minimize,training_seconds:minimize}"


def checked(objectives: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the direction of each objective; the score alone where none is given.

    Raises:
        UsageError: for what is no mapping, and for an unknown direction.
    """
    if objectives is None:
        return SCORE
    if not isinstance(objectives, Mapping) or not objectives:
        raise UsageError(f"hydra.sweeper.objectives={objectives} is no mapping from a name to minimize or maximize.")
    for name, direction in objectives.items():
        if direction not in ("minimize", "maximize"):
            raise UsageError(
                f"hydra.sweeper.objectives.{name}={direction} is not possible: an objective is to minimize or to "
                f"maximize, as in {EXAMPLE}."
            )
    return {str(name): str(direction) for name, direction in objectives.items()}


def value(summary: Mapping[str, Any], name: str) -> float | None:
    """The number of a summary at a place such as `parameters.total` or `metrics.val/psnr`; None if there is none.

    What carries its value beside a protocol stands for the value.
    """
    return dict(_numbers(summary)).get(name.replace('"', "").replace("'", "").removesuffix(".value"))


def numbers(summary: Mapping[str, Any]) -> list[str]:
    """The places of all numbers in a summary."""
    return [place for place, _ in _numbers(summary)]


def _numbers(node: Mapping[str, Any], way: str = "") -> Iterator[tuple[str, float]]:
    for key, part in node.items():
        if isinstance(part, Mapping) and "value" in part:
            part = part["value"]
        if isinstance(part, Mapping):
            yield from _numbers(part, f"{way}{key}.")
        elif isinstance(part, int | float) and not isinstance(part, bool) and not isnan(part):
            yield f"{way}{key}", float(part)
