"""Evaluations as tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from genlab.errors import UsageError
from genlab.evaluation.measure import Evaluation
from genlab.metrics.stamp import Stamp, ranked

ARROWS = {"lower": "↓", "higher": "↑", "": ""}


def write_csv(evaluations: Sequence[Evaluation], path: Path) -> None:
    """Write a row for each value, with its whole protocol."""
    rows: list[dict[str, Any]] = []
    for evaluation in evaluations:
        for measurement in evaluation.measurements.values():
            known = {"name": evaluation.name, "kind": evaluation.kind, "value": measurement.value}
            rows.append(known | measurement.stamp.as_dict() | {"note": measurement.note})
    pd.DataFrame(rows).convert_dtypes().to_csv(path, index=False)


def show(evaluations: Sequence[Evaluation]) -> None:
    """Print all values with their protocols; of several subjects the ranking too.

    Raises:
        UsageError: if the subjects were measured by different protocols, which are named.
    """
    console = Console()
    for evaluation in evaluations:
        _show_one(console, evaluation)
    if len(evaluations) > 1:
        console.print(_ranking(evaluations))


def _show_one(console: Console, evaluation: Evaluation) -> None:
    table = Table(title=f"{evaluation.kind}, {evaluation.name}", title_justify="left")
    table.add_column("metric", overflow="fold")
    table.add_column("value", justify="right")
    table.add_column("n and settings", overflow="fold")
    notes: list[str] = []
    for name, measurement in evaluation.measurements.items():
        mark = ""
        if measurement.note:
            notes += [measurement.note] if measurement.note not in notes else []
            mark = f" [{notes.index(measurement.note) + 1}]"
        table.add_row(
            f"{name} {ARROWS[measurement.better]}", f"{measurement.value:.5g}", f"{_own(measurement.stamp)}{mark}"
        )
    console.print(table)
    lines = [f"[{number}] {note}" for number, note in enumerate(notes, 1)]
    lines += [f"Not applicable: {name}, as {reason}" for name, reason in evaluation.not_applicable.items()]
    lines += [f"Protocol: {_common([m.stamp for m in evaluation.measurements.values()])}"]
    for line in lines:
        console.print(f"{line}.", markup=False, highlight=False)


def _own(stamp: Stamp) -> str:
    """What a value was measured on, and the settings of its metric."""
    real = f"{stamp.n_real:,} {stamp.split}" if stamp.n_real else ""
    made = f"{stamp.n_fake:,}" if stamp.n_fake else ""
    return ", ".join(part for part in (" / ".join(part for part in (made, real) if part), stamp.settings) if part)


def _common(stamps: Sequence[Stamp]) -> str:
    """The other fields, in which all values agree that have them."""
    shown = {"metric", "images", "split", "n_real", "n_fake", "settings"}
    found: dict[str, dict[str, None]] = {}
    for stamp in stamps:
        for field, value in stamp.as_dict().items():
            if field not in shown:
                found.setdefault(field, {})[str(value)] = None
    return ", ".join(f"{field} {' or '.join(values)}" for field, values in found.items())


def _ranking(evaluations: Sequence[Evaluation]) -> Table:
    """All subjects, the best first by the first metric that they share, and the best value of each metric in bold."""
    shared = [name for name in evaluations[0].measurements if all(name in e.measurements for e in evaluations)]
    columns = [name for name in shared if evaluations[0].measurements[name].better]
    if not columns:
        raise UsageError("These have no metric in common by which they could be ranked.")
    by_name = {evaluation.name: evaluation for evaluation in evaluations}
    orders = {c: ranked({name: e.measurements[c] for name, e in by_name.items()}) for c in columns}
    table = Table(title=f"Ranked by {columns[0]}", title_justify="left", caption_justify="left")
    for column in ("", "run", "model", *(f"{c} {ARROWS[evaluations[0].measurements[c].better]}" for c in columns)):
        table.add_column(column, justify="left" if column in ("run", "model") else "right")
    for rank, name in enumerate(orders[columns[0]], 1):
        values = (
            f"[bold]{by_name[name].measurements[c].value:.4g}[/]"
            if name == orders[c][0]
            else f"{by_name[name].measurements[c].value:.4g}"
            for c in columns
        )
        table.add_row(str(rank), name, by_name[name].kind, *values)
    return table
