"""A run of a sweep, and what can be asked of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from genlab.errors import UsageError
from genlab.stamp import Measurement, Stamp


class Curve(NamedTuple):
    """Finite values of a metric, and the images seen by then."""

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Cell:
    """One run.

    Attributes:
        name: path of its folder in the sweep.
        folder: the run folder.
        config: values of `config.yaml` by their dotted keys.
        summary: content of `summary.json`.
        history: content of `metrics.csv`.
        damage: why files of it can't be read; empty if all can.
    """

    name: str
    folder: Path
    config: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)
    history: pd.DataFrame = field(default_factory=pd.DataFrame)
    damage: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """`running` (or killed), `completed`, `failed`, `interrupted`, `pruned` or `damaged`."""
        return "damaged" if self.damage else str(self.summary.get("status", "running"))

    @property
    def model(self) -> str:
        """Class of the model."""
        return shown("model._target_", self.config.get("model._target_", "?"))

    @property
    def metrics(self) -> dict[str, float]:
        """The newest value of each metric."""
        entries = mapping(self.summary.get("metrics"))
        values = {key: entry.get("value") for key, entry in entries.items() if isinstance(entry, Mapping)}
        return {key: float(value) for key, value in values.items() if isinstance(value, int | float)}

    @property
    def score_key(self) -> str | None:
        """The metric by which the run is ranked: the one that it names, or else the one that has a protocol."""
        if name := mapping(self.summary.get("score")).get("name"):
            return str(name)
        entries = mapping(self.summary.get("metrics"))
        return next((key for key, entry in entries.items() if mapping(entry).get("protocol")), None)

    @property
    def score(self) -> Measurement | None:
        """The newest score, lower being better. None if there is none, or none that can be compared."""
        key = self.score_key
        value = self.number("score", "value") if self.summary.get("score") else self.metrics.get(key or "")
        protocol = self.protocol
        if key is None or value is None or not isfinite(value) or not protocol:
            return None
        try:
            stamp = Stamp.from_dict(protocol)
            hash(stamp)
        except (UsageError, TypeError):  # of another version, or of no plain values
            return None
        return Measurement(value, stamp, better="lower")

    @property
    def protocol(self) -> Mapping[str, Any]:
        """How the score was measured."""
        entry = mapping(self.summary.get("metrics")).get(self.score_key or "")
        return mapping(mapping(entry).get("protocol"))

    @property
    def seconds(self) -> float | None:
        """How long it has taken so far."""
        parts = [self.number(key) for key in ("training_seconds", "evaluation_seconds")]
        known = [part for part in parts if part is not None]
        return self.number("seconds") or (sum(known) if known else None)

    @property
    def warnings(self) -> list[Mapping[str, Any]]:
        """What the health callback has warned of."""
        return [warning for warning in _list(mapping(self.summary.get("health")).get("warnings")) if mapping(warning)]

    @property
    def overrides(self) -> list[str]:
        """What was typed to start it, without what concerns the sweep alone."""
        left_out = ("hydra.", "hydra/", "sweep=", "resume=", "retry_failed=", "preflight=", "paths.")
        return [typed for typed in map(str, _list(self.summary.get("overrides"))) if not typed.startswith(left_out)]

    def number(self, *keys: str) -> float | None:
        """A number of `summary.json`, by the keys that lead to it; None if it is not there."""
        node: Any = self.summary
        for key in keys:
            node = mapping(node).get(key)
        return float(node) if isinstance(node, int | float) and not isinstance(node, bool) else None

    def count(self, *keys: str) -> int | None:
        """A whole number of `summary.json`, by the keys that lead to it; None if it is not there."""
        found = self.number(*keys)
        return int(found) if found is not None and found.is_integer() and abs(found) < 2**63 else None

    def pictures(self, kind: str) -> list[Path]:
        """Files of `samples` or `reconstructions`, the oldest first."""
        return sorted((self.folder / kind).glob("epoch_*.png"), key=lambda path: (len(path.stem), path.stem))

    def curve(self, key: str) -> Curve:
        """A metric over images seen; over steps in a run that does not log images. May be empty."""
        if key not in self.history or "step" not in self.history:
            return Curve(np.empty(0), np.empty(0))
        y = self.history[key].to_numpy(float)
        known = np.isfinite(y) & np.isfinite(self._images_seen)
        return Curve(self._images_seen[known], y[known])

    @cached_property
    def _images_seen(self) -> np.ndarray:
        """At each row of the history: rows of validation lie between those of training, which count."""
        steps = self.history["step"].to_numpy(float) + 1
        if "train/images_seen" in self.history:
            images = self.history["train/images_seen"].to_numpy(float)
            if len(counted := np.flatnonzero(np.isfinite(images) & (steps > 0))):
                return steps * images[counted[-1]] / steps[counted[-1]]
        return steps


def shown(key: str, value: Any) -> Any:
    """A value of a configuration as a person reads it: a class by its name alone."""
    return str(value).rpartition(".")[2] if key.endswith("_target_") and value is not None else value


def mapping(node: Any) -> Mapping[str, Any]:
    """The node if it is a mapping, or else an empty one."""
    return node if isinstance(node, Mapping) else {}


def _list(node: Any) -> list[Any]:
    return node if isinstance(node, list) else []
