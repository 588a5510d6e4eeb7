"""What a search has found: printed at the end, and written into the sweep's folder."""

from collections import Counter
from collections.abc import Iterator, Mapping
from math import isnan
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import OmegaConf
from optuna.trial import FrozenTrial, TrialState
from rich.table import Table

from genlab.console import console
from genlab.errors import UsageError
from genlab.files import write_text
from genlab.search.study import Study

BEST, TRIALS = "best.yaml", "trials.csv"
STATES = {
    TrialState.COMPLETE: "completed",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}
MOST = 20  # rows that are printed


def read_objective(summary: Mapping[str, Any], name: str) -> float | None:
    """The number of a summary at a place such as `parameters.total` or `metrics.val/psnr`; None if there is none.

    What carries its value beside a protocol stands for the value.
    """
    return dict(list_numbers(summary)).get(name.replace('"', "").replace("'", "").removesuffix(".value"))


def list_numbers(node: Mapping[str, Any], way: str = "") -> Iterator[tuple[str, float]]:
    """All numbers of a summary, with their places."""
    for key, part in node.items():
        if isinstance(part, Mapping) and "value" in part:
            part = part["value"]
        if isinstance(part, Mapping):
            yield from list_numbers(part, f"{way}{key}.")
        elif isinstance(part, int | float) and not isinstance(part, bool) and not isnan(part):
            yield f"{way}{key}", float(part)


def find_best(study: Study) -> list[FrozenTrial]:
    """The best trial; of several objectives the Pareto front: the trials that no other beats in all of them at once."""
    found = sorted(study.best_trials, key=lambda trial: (trial.values, trial.number))
    first = {trial.user_attrs["folder"]: trial for trial in reversed(found)}  # of equal trials
    return list(reversed(first.values()))[: None if len(study.directions) > 1 else 1]


def write(study: Study, folder: Path) -> None:
    """Write all trials, and the best ones, each file whole or not at all."""
    trials, rows = study.known(), []
    for trial in trials:
        row = {"trial": trial.number, "state": STATES[trial.state]}
        row |= dict.fromkeys(study.names) | dict(zip(study.names, trial.values or (), strict=False))
        rows.append(row | trial.params | {"folder": trial.user_attrs["folder"]})
    write_text(folder / TRIALS, pd.DataFrame(rows, dtype=object).to_csv(index=False, lineterminator="\r\n"))
    best = [
        {
            "trial": trial.number,
            "values": dict(zip(study.names, trial.values, strict=True)),
            "params": trial.params,
            "folder": trial.user_attrs["folder"],
        }
        for trial in find_best(study)
    ]
    counts = Counter(STATES[trial.state] for trial in trials)
    found = {"objectives": dict(study.user_attrs["search"]["objectives"]), "trials": dict(counts), "best": best}
    write_text(folder / BEST, OmegaConf.to_yaml(OmegaConf.create(found)))


def show(study: Study, folder: Path) -> None:
    """Print the best trials, and how all of them ended.

    Raises:
        UsageError: if a trial has failed, for exit code 1.
    """
    out, trials, best = console(), study.known(), find_best(study)
    if best:
        table = Table(title="Pareto front" if len(study.directions) > 1 else "Best trial")
        for column in ("trial", *study.names, *best[0].params):
            table.add_column(column, justify="right", overflow="fold")
        for trial in best[:MOST]:
            values = [*trial.values, *trial.params.values()]
            texts = [f"{value:.5g}" if isinstance(value, float) else str(value) for value in values]
            table.add_row(str(trial.number), *texts)
        out.print(table)
    counts = Counter(STATES[trial.state] for trial in trials)
    states = ", ".join(f"{n} {state}" for state, n in counts.items())
    out.print(f"{states}. {folder / BEST} holds the best, {TRIALS} all.", soft_wrap=True)
    if failed := [trial for trial in trials if trial.state == TrialState.FAIL]:
        numbers = ", ".join(str(trial.number) for trial in failed)
        error = failed[0].user_attrs["error"]
        raise UsageError(f"{len(failed)} of {len(trials)} trials failed (number {numbers}), the first: {error}")
