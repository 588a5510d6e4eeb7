"""The runs of a sweep side by side: a table with a row a run, what was varied in it, and how the runs rank."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os.path import commonpath
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from genlab.foreign import is_number
from genlab.report.read import ABSENT, SEED, Run, is_seed, read_run
from genlab.report.text import number
from genlab.run.identity import bears_on_result
from genlab.stamp import Stamp, differences, error_key

MODEL, DATA, LATENT = "model._target_", "data.name", "model.latent_dim"
FIRST = (MODEL, DATA, LATENT)
NOT_RANKED = ("failed", "damaged")  # the score of a run that has failed is not that of what was asked for
STATUSES = ["completed", "running", "pruned", "interrupted", "failed", "damaged"]
PHASES = ("train/", "health/", "val/", "test/")  # of metrics, those that stand last first
WHOLE = ["rank", "epochs", "images_seen", "parameters", "group"]  # columns of whole numbers
HIDDEN = ["model", "data", "score_key", "stamp", "title", "setting"]  # columns that report.csv does not have


class Group(NamedTuple):
    """Runs whose scores were measured by one protocol, the best first."""

    title: str  # metric and data set, and what else tells the protocol from the others
    stamp: Stamp
    rows: pd.DataFrame  # of the table


@dataclass(frozen=True)
class Table:
    """All runs of a sweep: those that are ranked, group by group, and then the others."""

    name: str  # of the sweep
    runs: Sequence[Run]  # in the order of the rows
    frame: pd.DataFrame  # a row a run, numbered from 1: what report.csv holds, and the columns `HIDDEN`
    labels: Mapping[str, str]  # the keys of the configuration that the sweep varies, which are columns: short names
    metrics: Sequence[str]  # besides the scores, which are columns: validation first, then health, then training

    @property
    def keys(self) -> list[str]:
        return list(self.labels)

    @cached_property
    def groups(self) -> list[Group]:
        """The ranked runs by their protocols, the largest group first: only scores of one protocol are compared."""
        rows = [own for _, own in self.frame.groupby("group")]
        stamps = [own["stamp"].iloc[0] for own in rows]
        return [Group(_group_title(stamp, stamps), stamp, own) for stamp, own in zip(stamps, rows, strict=True)]

    @property
    def unranked(self) -> pd.DataFrame:
        return self.frame[self.frame["rank"].isna()]

    @property
    def facts(self) -> pd.DataFrame:
        """What report.csv holds."""
        return self.frame.drop(columns=HIDDEN)

    @property
    def models(self) -> list[str]:
        return sorted({run.value(MODEL) for run in self.runs if run.config})

    @cached_property
    def settings(self) -> pd.Series:
        """What a sweep has set for each run, but for its seeds, as one text."""
        return self.values_of(lambda key: not is_seed(key))

    @cached_property
    def seeds(self) -> pd.Series:
        """The seeds of each run, as one text."""
        return self.values_of(is_seed)

    def values_of(self, is_wanted: Callable[[str], bool]) -> pd.Series:
        """The values of some of the keys, as one text a run."""
        values = self.frame[[key for key in self.keys if is_wanted(key)]].astype(str)
        return values.agg(" ".join, axis=1) if len(values.columns) else pd.Series("", values.index)

    @property
    def statuses(self) -> dict[str, int]:
        """Numbers of runs by their status."""
        counts = Counter(run.status for run in self.runs)
        return {status: counts[status] for status in sorted(counts, key=lambda one: [*STATUSES, one].index(one))}

    def numbers(self, key: str) -> pd.Series:
        """The values of a key that are numbers, NaN where there is none."""
        return self.frame[key].map(lambda value: float(value) if is_number(value) else np.nan).astype(float)


def read_table(name: str, folders: Sequence[Path], home: Path | None = None) -> Table:
    """Read the runs of a sweep, which are named relative to `home`, by default the nearest folder that holds them."""
    whole = [folder.absolute() for folder in folders]
    base = home.absolute() if home else Path(commonpath([folder.parent for folder in whole]))
    names = [folder.name if folder == base else folder.relative_to(base).as_posix() for folder in whole]
    runs = [read_run(folder, own) for folder, own in zip(whole, names, strict=True)]

    labels = short_names(varied_keys(runs))
    found = {key for run in runs for key in run.metrics if key not in (run.score_key, "train/images_seen")}
    found -= {error_key(key) for run in runs for key in run.metrics}
    metrics = sorted(found, key=lambda key: ([key.startswith(phase) for phase in PHASES], "loss" not in key, key))
    frame = pd.DataFrame([_row(run, list(labels), metrics) for run in runs])
    frame = frame.astype({"score": float, "error": float, "seconds": float, "images_per_second": float})
    frame["title"] = _titles(frame, labels)
    frame["setting"] = _titles(frame, {key: label for key, label in labels.items() if not is_seed(key)}, "model")

    by_protocol = frame.groupby("stamp", sort=False)["score"]
    order = by_protocol.size().sort_values(ascending=False, kind="stable").index
    frame["group"] = frame["stamp"].map({stamp: n for n, stamp in enumerate(order, 1)})
    frame["rank"] = by_protocol.rank(method="first")
    counts = frame[WHOLE].astype(float)
    frame[WHOLE] = counts.where((counts % 1 == 0) & (counts.abs() < 2**63))
    frame = frame.astype(dict.fromkeys(WHOLE, "Int64")).sort_values(["group", "rank"], kind="stable")
    ordered = [runs[place] for place in frame.index]
    return Table(name, ordered, frame.set_index(pd.RangeIndex(1, len(runs) + 1)), labels, metrics)


def varied_keys(runs: Sequence[Run]) -> list[str]:
    """The keys in which configurations differ, without those that say where files lie and who is told.

    Left out are copies of another key, and what follows from the choice of a class or a data set (another model has
    other networks, another data set other images), unless it was typed.
    """
    runs = [run for run in runs if run.config]
    every = dict.fromkeys(key for run in runs for key in run.config if bears_on_result(key))
    configs = pd.DataFrame({key: [str(run.config.get(key, ABSENT)) for run in runs] for key in every})
    differing = [key for key in every if configs[key].nunique() > 1]
    typed = {override.partition("=")[0].lstrip("+~") for run in runs for override in run.overrides}
    chosen = [SEED] if SEED in differing else []
    for key in sorted(differing, key=lambda key: _importance(key, typed)):
        choices = [other for other in chosen if other.endswith("_target_") or other == DATA]
        is_copy = any(configs[key].equals(configs[other]) for other in chosen)
        is_implied = choices and configs.groupby(choices)[key].nunique().max() == 1
        if key in (*FIRST, *typed) or not (is_copy or is_implied):
            chosen.append(key)
    return sorted(dict.fromkeys(chosen), key=lambda key: key == SEED)


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """The last parts of keys, or the whole key where two end alike."""
    whole = {key: key.removesuffix("._target_").removesuffix(".name") for key in keys}
    counts = Counter(name.rpartition(".")[2] for name in whole.values())
    return {key: last if counts[last := name.rpartition(".")[2]] == 1 else name for key, name in whole.items()}


def differing_fields(stamps: Sequence[Stamp]) -> dict[str, list[Any]]:
    """The fields in which protocols differ, with all their values."""
    names = dict.fromkeys(name for stamp in stamps[1:] for name in differences(stamps[0], stamp))
    return {name: [getattr(stamp, name) for stamp in stamps] for name in names}


def pareto_front(points: pd.DataFrame) -> pd.DataFrame:
    """The rows (cost, score) that no other beats, by cost: none that costs at most as much scores as low or lower."""
    ordered = points.sort_values(list(points.columns)).dropna()
    score = ordered.iloc[:, 1]
    return ordered[score < score.cummin().shift(fill_value=np.inf)]


def _row(run: Run, keys: Sequence[str], metrics: Sequence[str]) -> dict[str, Any]:
    (score, stamp), values = run.score, run.metrics
    return {
        "rank": None,
        "run": run.name,
        **{key: run.value(key) for key in keys},
        "score": score,
        "error": run.number("score.error"),
        **{key: values.get(key) for key in metrics},
        "epochs": run.number("epochs"),
        "images_seen": run.number("images_seen"),
        "seconds": run.seconds,
        "images_per_second": run.number("images_per_second"),
        "parameters": run.number("parameters.total"),
        "status": run.status,
        "group": None,
        "model": run.value(MODEL) if run.config else "",
        "data": str(run.config.get(DATA, "")),
        "score_key": run.score_key,
        "stamp": None if run.status in NOT_RANKED else stamp,
    }


def _titles(frame: pd.DataFrame, labels: Mapping[str, str], otherwise: str = "run") -> list[str]:
    """What tells each run from the others: of keys that most runs agree in only what is unusual.

    Where nothing does, that is what the column `otherwise` says.
    """
    titles: list[list[str]] = [[] for _ in frame.index]
    for key, label in labels.items():
        counts = frame[key].astype(str).value_counts()
        is_usual = key not in (*FIRST, SEED) and 2 * counts.iloc[0] > len(frame)
        hidden = [ABSENT, *counts.index[: int(is_usual)]]
        for title, value in zip(titles, frame[key].tolist(), strict=True):
            if str(value) not in hidden:
                title.append(number(value) if key in (MODEL, DATA) else f"{label} {number(value)}")
    return [" · ".join(title) or name for title, name in zip(titles, frame[otherwise], strict=True)]


def _group_title(stamp: Stamp, others: Sequence[Stamp]) -> str:
    fields = differing_fields([one for one in others if (one.metric, one.data) == (stamp.metric, stamp.data)])
    apart = {name: getattr(stamp, name) for name in fields if name != "images" or len(fields) == 1}
    more = ", ".join(f"{name} {number(found)}" for name, found in apart.items())
    return f"{stamp.metric} on {stamp.data}" + (f" ({more})" if more else "")


def _importance(key: str, typed: set[str]) -> tuple[int, bool, int]:
    """Model, data set and latent dimension first, then what was typed, then choices before numbers."""
    rank = FIRST.index(key) if key in FIRST else 3 if key in typed else 4
    return rank, not key.endswith("_target_"), key.count(".")
