"""Reading run folders, which may come from anybody. What can't be read is said, and the rest is kept.

Only regular files of the run's own folder are opened, and what comes out is plain and finite.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from shlex import join
from typing import Any

import numpy as np
import pandas as pd

from genlab.foreign import LARGEST, Unreadable, is_number, parse_yaml, printable, read_mapping, read_text
from genlab.run.history import images_seen
from genlab.run.identity import OF_SWEEP, top_key
from genlab.stamp import Stamp

SEED = "seed"
ABSENT = "–"  # the value of a key that a run's configuration does not have


@dataclass(frozen=True)
class Run:
    """What the files of one run say."""

    name: str  # path of its folder in the sweep
    folder: Path
    config: Mapping[str, Any]  # values of `config.yaml` by their dotted keys
    summary: Mapping[str, Any]  # values of `summary.json` by their dotted keys
    history: pd.DataFrame  # `metrics.csv`, by the images seen, or by steps in a run that does not log images
    damage: Sequence[str]  # why files of it can't be read; empty if all can

    @property
    def status(self) -> str:
        """`running` (or killed), `completed`, `failed`, `interrupted`, `pruned` or `damaged`."""
        return "damaged" if self.damage else self.summary["status"]

    @property
    def metrics(self) -> dict[str, float]:
        """The newest value of each metric."""
        keys = [key for key in self.summary if key.startswith("metrics.") and key.endswith(".value")]
        found = {key[8:-6]: self.number(key) for key in keys if ".protocol." not in key}
        return {key: value for key, value in found.items() if value is not None}

    @property
    def score_key(self) -> str | None:
        """The metric by which the run is ranked: the one that it names, or else the one that has a protocol."""
        measured = (key.partition(".protocol.") for key in below(self.summary, "metrics"))
        name = self.summary.get("score.name")
        return str(name) if name else next((key for key, found, _ in measured if found), None)

    @property
    def score(self) -> tuple[float, Stamp] | tuple[None, None]:
        """The newest score, lower being better, and its protocol; nothing if it can't be compared.

        The protocol is without a fitted prior: that is a setting of a run, beside which others are ranked.
        """
        value = self.number("score.value" if self.summary.get("score.name") else f"metrics.{self.score_key}.value")
        try:
            stamp = Stamp(**below(self.summary, f"metrics.{self.score_key}.protocol") | {"prior": None})
            hash(stamp)
        except TypeError:  # none, or of another version, or of no plain values
            return None, None
        return (value, stamp) if value is not None else (None, None)

    @property
    def seconds(self) -> float | None:
        """How long it has taken so far."""
        parts = [self.number(key) or 0 for key in ("training_seconds", "evaluation_seconds")]
        return self.number("seconds") or sum(parts) or None

    @property
    def warnings(self) -> list[Mapping[str, Any]]:
        """What the health callback has warned of: `message` and `epoch`."""
        return [warning for warning in self._list("health.warnings") if isinstance(warning, dict)]

    @property
    def overrides(self) -> list[str]:
        """What was typed to start it, without what concerns the sweep alone."""
        return [typed for typed in map(str, self._list("overrides")) if top_key(typed) not in OF_SWEEP]

    @property
    def command(self) -> str | None:
        """The command that trains it again; None if it has not recorded what was typed."""
        return join(["python", "src/train.py", *self.overrides]) if "overrides" in self.summary else None

    @property
    def command_for_any_seed(self) -> str | None:
        """The same without the seeds that were typed."""
        others = [typed for typed in self.overrides if not is_seed(typed.partition("=")[0])]
        return join(["python", "src/train.py", *others]) if self.command else None

    def value(self, key: str) -> Any:
        """The value of a key of its configuration, as a person reads it: a class by its name alone."""
        found = self.config.get(key, ABSENT)
        found = "none" if found is None else json.dumps(found) if isinstance(found, list) else found
        return str(found).rpartition(".")[2] if key.endswith("_target_") else found

    def number(self, key: str) -> float | None:
        found: Any = self.summary.get(key)
        return float(found) if is_number(found) else None

    def curve(self, key: str) -> pd.Series:
        """The finite values of a metric over images seen. May be empty."""
        return self.history[key].dropna() if key in self.history else pd.Series(dtype=float)

    def traceback(self) -> str:
        """The last lines of the newest traceback in `train.log`; nothing if there is none."""
        try:
            log = read_text(self.folder, "train.log") or ""
        except Unreadable:
            return ""
        _, found, text = log.rpartition("Traceback (most recent call last):")
        text = re.split(r"^\[\d{4}-", text, maxsplit=1, flags=re.MULTILINE)[0]  # the next entry of the log
        return "\n".join(text.rstrip().splitlines()[-14:]).strip("\n") if found else ""

    def _list(self, key: str) -> list[Any]:
        found = self.summary.get(key)
        return found if isinstance(found, list) else []


def read_run(folder: Path, name: str) -> Run:
    """Read a run folder. Never raises for what is in it."""
    parts: dict[str, Any] = {"summary": {}, "config": {}, "history": pd.DataFrame()}
    damage = []
    for part, read in (("summary", _summary), ("config", _config), ("history", _history)):
        try:
            parts[part] = read(folder)
        except Unreadable as reason:
            damage.append(printable(str(reason)))
    if parts["summary"].get("status") in ("completed", "pruned") and not (folder / "metrics.csv").is_file():
        damage.append("metrics.csv is missing")
    return Run(printable(name), folder, **parts, damage=damage)


def sweep_command(folder: Path) -> str | None:
    """The command that starts the whole sweep, from the `multirun.yaml` that Hydra leaves; None where there is none."""
    try:
        content = read_mapping(folder, "multirun.yaml", parse_yaml, printable)
        return join(["python", "src/train.py", "-m", *map(str, content["hydra"]["overrides"]["task"])])
    except (Unreadable, KeyError, TypeError):
        return None


def is_seed(key: str) -> bool:
    """Whether a key is a seed, over which results are averaged."""
    return key.rpartition(".")[2] == SEED


def below(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The values whose dotted keys begin with a key, by the rest."""
    return {name.removeprefix(f"{key}."): value for name, value in values.items() if name.startswith(f"{key}.")}


def thinned(curve: pd.Series, n: int) -> pd.Series:
    """At most n values of a curve, at equal distances, the first and the last among them."""
    return curve.iloc[np.unique(np.linspace(0, len(curve) - 1, n).round().astype(int))]


def _summary(folder: Path) -> dict[str, Any]:
    summary = dict(_flat(read_mapping(folder, "summary.json", json.loads, printable)))
    if not isinstance(summary.get("status"), str):
        raise Unreadable("summary.json has no status")
    return summary


def _config(folder: Path) -> dict[str, Any]:
    config = dict(_flat(read_mapping(folder, "config.yaml", parse_yaml, printable)))
    home = str(config.get("paths.run_dir", folder))
    return {key: value.removeprefix(home) if isinstance(value, str) else value for key, value in config.items()}


def _flat(node: dict[str, Any], way: str = "") -> Iterator[tuple[str, Any]]:
    """Values by their dotted keys; lists stay whole."""
    for key, value in node.items():
        yield from _flat(value, f"{way}{key}.") if isinstance(value, dict) else [(f"{way}{key}", value)]


def _history(folder: Path) -> pd.DataFrame:
    """The rows over images seen; a run that has only begun has none."""
    text = read_text(folder, "metrics.csv")
    if text is None:
        return pd.DataFrame()
    try:
        history = pd.read_csv(StringIO(text[: text.rfind("\n") + 1]))  # a row that is being written has no end yet
        wrong = [str(key) for key in history if not pd.api.types.is_numeric_dtype(history[key])]
    except ValueError as error:
        raise Unreadable(f"metrics.csv can't be read: {error}") from error
    if "step" not in history or wrong:
        raise Unreadable(f"metrics.csv can't be read: {f'no numbers in {wrong[0]!r}' if wrong else 'no column step'}")
    history = history.astype(float).where(lambda numbers: numbers.abs() < LARGEST)
    return history.set_index(images_seen(history))[history["step"].notna().to_numpy()]
