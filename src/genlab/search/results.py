"""What a search has found: said at once, printed at the end, and written into the sweep's folder."""

import csv
import io
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from optuna.study import StudyDirection
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

log = logging.getLogger(__name__)


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


def announce(study: Study, number: int) -> None:
    """Log what came of a trial."""
    trial = study.known()[number]
    if trial.state == TrialState.FAIL:
        log.error("Trial %d failed: %s", trial.number, trial.user_attrs["error"])
    else:
        values = [f"{name} = {value:.5g}" for name, value in zip(study.names, trial.values or [], strict=False)]
        log.info("Trial %d %s%s", trial.number, STATES[trial.state], f": {', '.join(values)}" if values else "")


def find_best(study: Study) -> list[FrozenTrial]:
    """The best trial; of several objectives the Pareto front: the trials that no other beats in all of them at once."""
    found = sorted(study.best_trials, key=lambda trial: (trial.values, trial.number))
    once = {trial.user_attrs["folder"]: trial for trial in reversed(found)}  # of equal trials the first
    return list(reversed(once.values()))[: None if len(study.directions) > 1 else 1]


def write(study: Study, folder: Path) -> None:
    """Write all trials, and the best ones, whole or not at all."""
    trials = study.known()
    rows = [_row(trial, study.names) for trial in trials]
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, list(dict.fromkeys(key for row in rows for key in row)))
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder / TRIALS, table.getvalue())
    found = {
        "objectives": dict(study.user_attrs["search"]["objectives"]),
        "trials": dict(Counter(STATES[trial.state] for trial in trials)),
        "best": [
            {
                "trial": trial.number,
                "values": dict(zip(study.names, trial.values, strict=True)),
                "params": trial.params,
                "folder": trial.user_attrs["folder"],
            }
            for trial in find_best(study)
        ],
    }
    write_text(folder / BEST, OmegaConf.to_yaml(OmegaConf.create(found)))


def _row(trial: FrozenTrial, names: Sequence[str]) -> dict[str, Any]:
    values = dict(zip(names, trial.values or [None] * len(names), strict=True))
    folder = trial.user_attrs["folder"]
    return {"trial": trial.number, "state": STATES[trial.state], **values, **trial.params, "folder": folder}


def show(study: Study, folder: Path) -> None:
    """Print the best trials, for one objective those next to it too, and where all of them stand."""
    out = console()
    several = len(study.directions) > 1
    complete = [trial for trial in study.known() if trial.state == TrialState.COMPLETE]
    sign = -1 if study.directions[0] == StudyDirection.MAXIMIZE else 1
    shown = find_best(study) if several else sorted(complete, key=lambda trial: sign * trial.values[0])
    table = Table(title="Pareto front" if several else "Best trials")
    for column in ("trial", *study.names, *(shown[0].params if shown else ())):
        table.add_column(column, justify="right", overflow="fold")
    for trial in shown[:MOST]:
        cells = [*trial.values, *trial.params.values()]
        texts = [f"{cell:.5g}" if isinstance(cell, float) else str(cell) for cell in cells]
        table.add_row(str(trial.number), *texts)
    if shown:
        out.print(table)
    states = Counter(STATES[trial.state] for trial in study.known())
    counts = ", ".join(f"{n} {state}" for state, n in states.items())
    out.print(f"{counts}. {folder / BEST} holds the best, {TRIALS} all.", soft_wrap=True)


def check(study: Study) -> None:
    """Have the command end with exit code 1 if a trial has failed.

    Raises:
        UsageError: naming the failed ones.
    """
    trials = study.known()
    failed = [trial for trial in trials if trial.state == TrialState.FAIL]
    if failed:
        numbers = ", ".join(str(trial.number) for trial in failed)
        error = failed[0].user_attrs["error"]
        raise UsageError(f"{len(failed)} of {len(trials)} trials failed (number {numbers}), the first: {error}")
