"""A run of a sweep, as its folder tells of it. What can't be read is said, and the rest is kept."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import yaml

from genlab.errors import UsageError
from genlab.stamp import Measurement, Stamp

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster than Python's own


class Curve(NamedTuple):
    """Finite values of a metric, and the images seen by then."""

    x: np.ndarray
    y: np.ndarray


class Unreadable(Exception):
    """A file of a run that is missing or damaged, and why."""


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
        entries = _mapping(self.summary.get("metrics"))
        values = {key: entry.get("value") for key, entry in entries.items() if isinstance(entry, Mapping)}
        return {key: float(value) for key, value in values.items() if isinstance(value, int | float)}

    @property
    def score_key(self) -> str | None:
        """The metric by which the run is ranked: the one that it names, or else the one that has a protocol."""
        if name := _mapping(self.summary.get("score")).get("name"):
            return str(name)
        entries = _mapping(self.summary.get("metrics"))
        return next((key for key, entry in entries.items() if _mapping(entry).get("protocol")), None)

    @property
    def score(self) -> Measurement | None:
        """The newest score, lower being better. None if there is none, or none that can be compared."""
        key = self.score_key
        value = self.number("score", "value") if self.summary.get("score") else self.metrics.get(key or "")
        protocol = self.protocol
        if key is None or value is None or not isfinite(value) or not protocol:
            return None
        try:
            return Measurement(value, Stamp.from_dict(protocol), better="lower")
        except UsageError:
            return None

    @property
    def protocol(self) -> Mapping[str, Any]:
        """How the score was measured."""
        entry = _mapping(self.summary.get("metrics")).get(self.score_key or "")
        return _mapping(_mapping(entry).get("protocol"))

    @property
    def seconds(self) -> float | None:
        """How long it has taken so far."""
        parts = [self.number(key) for key in ("training_seconds", "evaluation_seconds")]
        known = [part for part in parts if part is not None]
        return self.number("seconds") or (sum(known) if known else None)

    @property
    def warnings(self) -> list[Mapping[str, Any]]:
        """What the health callback has warned of."""
        return [warning for warning in _mapping(self.summary.get("health")).get("warnings") or [] if _mapping(warning)]

    @property
    def overrides(self) -> list[str]:
        """What was typed to start it, without what concerns the sweep alone."""
        left_out = ("hydra.", "hydra/", "sweep=", "resume=", "retry_failed=", "preflight=", "paths.")
        return [typed for typed in map(str, self.summary.get("overrides") or []) if not typed.startswith(left_out)]

    def number(self, *keys: str) -> float | None:
        """A number of `summary.json`, by the keys that lead to it; None if it is not there."""
        node: Any = self.summary
        for key in keys:
            node = _mapping(node).get(key)
        return float(node) if isinstance(node, int | float) and not isinstance(node, bool) else None

    def pictures(self, kind: str) -> list[Path]:
        """Files of `samples` or `reconstructions`, the oldest first."""
        return sorted((self.folder / kind).glob("epoch_*.png"), key=lambda path: (len(path.stem), path.stem))

    def curve(self, key: str) -> Curve:
        """A metric over images seen; over steps in a run that does not log images. May be empty."""
        if key not in self.history or "step" not in self.history:
            return Curve(np.empty(0), np.empty(0))
        y = self.history[key].to_numpy(float)
        known = np.isfinite(y)
        return Curve(self._images_seen[known], y[known])

    @cached_property
    def _images_seen(self) -> np.ndarray:
        """At each row of the history: rows of validation lie between those of training, which count."""
        steps = self.history["step"].to_numpy(float) + 1
        if "train/images_seen" in self.history:
            images = self.history["train/images_seen"].to_numpy(float)
            if len(counted := np.flatnonzero(np.isfinite(images))):
                return steps * images[counted[-1]] / steps[counted[-1]]
        return steps


def read_cell(folder: Path, name: str) -> Cell:
    """Read a run folder. Never raises for what is in it."""
    parts: dict[str, Any] = {}
    damage = []
    for part, read in (("summary", _summary), ("config", _config), ("history", _history)):
        try:
            parts[part] = read(folder)
        except Unreadable as reason:
            damage.append(str(reason))
    complete = _mapping(parts.get("summary")).get("status") in ("completed", "pruned")
    if complete and not (folder / "metrics.csv").is_file():
        damage.append("metrics.csv is missing")
    return Cell(name, folder, **parts, damage=tuple(damage))


def shown(key: str, value: Any) -> Any:
    """A value of a configuration as a person reads it: a class by its name alone."""
    return str(value).rpartition(".")[2] if key.endswith("_target_") and value is not None else value


def _summary(folder: Path) -> dict[str, Any]:
    summary = _parsed(folder / "summary.json", json.loads)
    if not isinstance(summary.get("status"), str):
        raise Unreadable("summary.json has no status")
    return summary


def _config(folder: Path) -> dict[str, Any]:
    config = _flat(_parsed(folder / "config.yaml", lambda text: yaml.load(text, Loader)))
    home = str(config.get("paths.run_dir", folder))
    return {key: value.removeprefix(home) if isinstance(value, str) else value for key, value in config.items()}


def _history(folder: Path) -> pd.DataFrame:
    """A run that has only begun has none."""
    path = folder / "metrics.csv"
    if not path.is_file():
        return pd.DataFrame()
    try:
        history = pd.read_csv(path)
        wrong = [str(key) for key in history if not pd.api.types.is_numeric_dtype(history[key])]
    except (OSError, ValueError) as error:
        raise Unreadable(f"metrics.csv can't be read: {error}") from error
    if "step" not in history or wrong:
        raise Unreadable(f"metrics.csv can't be read: {f'no numbers in {wrong[0]!r}' if wrong else 'no column step'}")
    return history


def _parsed(path: Path, parse: Any) -> dict[str, Any]:
    try:
        content = parse(path.read_text())
    except FileNotFoundError:
        raise Unreadable(f"{path.name} is missing") from None
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise Unreadable(f"{path.name} can't be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise Unreadable(f"{path.name} can't be read: it holds no mapping")
    return content


def _flat(node: Mapping[Any, Any], way: str = "") -> dict[str, Any]:
    """Values by their dotted keys; lists stay whole, as text."""
    found: dict[str, Any] = {}
    for key, value in node.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{way}{key}.")
        else:
            found[f"{way}{key}"] = json.dumps(value, default=str) if isinstance(value, list) else value
    return found


def _mapping(node: Any) -> Mapping[str, Any]:
    return node if isinstance(node, Mapping) else {}
