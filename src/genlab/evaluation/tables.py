"""Evaluations as tables: a CSV file, and what the terminal shows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table
from rich.text import Text

from genlab.console import console
from genlab.errors import UsageError
from genlab.evaluation.measure import Evaluation
from genlab.files import write_text
from genlab.stamp import Measurement, Stamp, ranked, require_same_protocol

ARROWS = {"lower": " ↓", "higher": " ↑", "": ""}


def write_csv(evaluations: Sequence[Evaluation], path: Path) -> None:
    """Write a row for each value, with its whole protocol."""
    rows: list[dict[str, Any]] = []
    for evaluation in evaluations:
        for measurement in evaluation.measurements.values():
            known = {"name": evaluation.name, "kind": evaluation.kind, "value": measurement.value}
            rows.append(known | measurement.stamp.as_dict())
            rows[-1] |= {"spread": measurement.spread, "note": measurement.note}
    write_text(path, pd.DataFrame(rows).convert_dtypes().to_csv(index=False))


def show(evaluations: Sequence[Evaluation]) -> None:
    """Print all values with their protocols, of several subjects side by side, the best first.

    Raises:
        UsageError: if the subjects can't be compared, after each of them was shown alone.
    """
    try:
        together = in_order(evaluations) if len(evaluations) > 1 else evaluations
    except UsageError:
        for evaluation in evaluations:
            _print([evaluation])
        raise
    _print(together)


def in_order(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """Sort by the first metric that all subjects have and that says which value is better, the best first.

    Raises:
        UsageError: if a metric was measured by different protocols, or if there is no metric to sort by.
    """
    metrics = _by_metric(evaluations)
    for found in metrics.values():
        require_same_protocol(found)
    for found in metrics.values():
        if len(found) == len(evaluations) and all(measurement.better for measurement in found.values()):
            return sorted(evaluations, key=lambda evaluation: ranked(found).index(evaluation.name))
    raise UsageError("These have no metric in common by which they could be ranked.")


def _by_metric(evaluations: Sequence[Evaluation]) -> dict[str, dict[str, Measurement]]:
    """Measurements by the names of metric and subject, in the order in which they were made."""
    metrics: dict[str, dict[str, Measurement]] = {}
    for evaluation in evaluations:
        for metric, measurement in evaluation.measurements.items():
            metrics.setdefault(metric, {})[evaluation.name] = measurement
    return metrics


def _print(evaluations: Sequence[Evaluation]) -> None:
    """Print a row for each metric and a column for each subject, the best values in bold; then what is to be known."""
    out = console()
    metrics = _by_metric(evaluations)
    notes: list[str] = []  # of all values, each once
    for number, evaluation in enumerate(evaluations, 1):
        out.print(f"{number}: {evaluation.kind}, {evaluation.name}", soft_wrap=True)
    n_columns = max(1, (out.width - 44) // 12)  # beside the names of metrics and the marks
    for first in range(0, len(evaluations), n_columns):
        shown = range(first, min(first + n_columns, len(evaluations)))
        out.print(_table(metrics, [evaluation.name for evaluation in evaluations], shown, notes))
    lines = [f"[{number}] {note}" for number, note in enumerate(notes, 1)]
    lines += _not_applicable(evaluations)
    lines.append(f"Protocol: {_common([m.stamp for found in metrics.values() for m in found.values()])}")
    for line in lines:
        out.print(f"{line}.")


def _table(
    metrics: Mapping[str, Mapping[str, Measurement]], names: Sequence[str], shown: range, notes: list[str]
) -> Table:
    """A table of some of the subjects. Of several, what was measured on is said in the notes, to which it adds."""
    several = len(names) > 1
    table = Table()
    table.add_column("metric", overflow="fold")
    for column in shown:
        table.add_column(str(column + 1) if several else "value", justify="right", no_wrap=True)
    table.add_column("" if several else "n and settings", overflow="fold")
    for metric, found in metrics.items():
        some = next(iter(found.values()))
        best = ranked(found)[0] if some.better and len(found) > 1 else None
        remarks = [note for m in found.values() if (note := m.note)]
        own = _own(some.stamp)
        marks = _marks([own, *remarks] if several else remarks, notes)
        cells = [_cell(found.get(names[column]), several, is_best=names[column] == best) for column in shown]
        table.add_row(metric + ARROWS[some.better], *cells, Text(marks if several else f"{own} {marks}".rstrip()))
    return table


def _cell(measurement: Measurement | None, is_short: bool, is_best: bool) -> Text:
    if measurement is None:
        return Text("–")
    spread = "" if measurement.spread is None or is_short else f" ± {measurement.spread:.2g}"
    return Text(f"{measurement.value:.{4 if is_short else 5}g}{spread}", "bold" if is_best else "")


def _marks(texts: Sequence[str], notes: list[str]) -> str:
    """Refer to texts by their numbers in `notes`, to which new ones are added."""
    notes += [text for text in dict.fromkeys(texts) if text not in notes]
    return "".join(f"[{notes.index(text) + 1}]" for text in dict.fromkeys(texts))


def _not_applicable(evaluations: Sequence[Evaluation]) -> list[str]:
    by_reason: dict[str, dict[str, None]] = {}
    for evaluation in evaluations:
        for measure, reason in evaluation.not_applicable.items():
            by_reason.setdefault(reason, {})[measure] = None
    return [f"Not applicable: {', '.join(measures)}, as {reason}" for reason, measures in by_reason.items()]


def _own(stamp: Stamp) -> str:
    """What a value was measured on, and the settings of its metric."""
    made = f"{stamp.n_fake:,} {stamp.generated or ''}".rstrip() if stamp.n_fake else ""
    real = f"{stamp.n_real:,} {stamp.split}" if stamp.n_real else ""
    sides = " / ".join(side for side in (made, real) if side)
    return ", ".join(part for part in (sides, stamp.settings) if part)


def _common(stamps: Sequence[Stamp]) -> str:
    """The other fields, with the values that they have anywhere."""
    in_rows = {"metric", "images", "split", "n_real", "n_fake", "settings", "generated"}
    found: dict[str, dict[str, None]] = {}
    for stamp in stamps:
        for field, value in stamp.as_dict().items():
            if field not in in_rows:
                found.setdefault(field, {})[str(value)] = None
    return ", ".join(f"{field} {' or '.join(values)}" for field, values in found.items())
