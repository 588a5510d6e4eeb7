"""Evaluations as tables: a CSV file, and what the terminal shows."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import pandas as pd
from rich.table import Table
from rich.text import Text

from genlab.command_line import typed
from genlab.console import console, plus_minus
from genlab.errors import UsageError, listed
from genlab.evaluation.measure import Evaluation
from genlab.files import write_text
from genlab.stamp import NORMAL, DifferentProtocols, Measurement, Stamp, ranked, require_same_protocol

IN_SETTINGS = ("metric", "images", "split", "n_real", "n_fake", "settings", "generated")
OVER_IMAGES = (
    "The ± is a 95% interval over other samples of the same weights or other held-out images; another seed of training "
    "may differ more"
)
ARROWS = {"lower": " ↓", "higher": " ↑", "": ""}


def write_csv(evaluations: Sequence[Evaluation], path: Path) -> None:
    """Write a row for each value, with its whole protocol."""
    rows = [
        {
            "name": e.name,
            "kind": e.kind,
            "value": m.value,
            "error": m.error,
            **m.stamp.as_dict(),
            "spread": m.spread,
            "note": m.note,
        }
        for e in evaluations
        for m in e.measurements.values()
    ]
    write_text(path, pd.DataFrame(rows).convert_dtypes().to_csv(index=False))


def show(evaluations: Sequence[Evaluation], folder: Path | None = None) -> None:
    """Print all values with their protocols, of several subjects side by side, the best first.

    Subjects that can't be compared are shown one by one, before the UsageError is raised. It offers to explain the
    difference of scores that are in `folder`.
    """
    try:
        together = in_order(evaluations) if len(evaluations) > 1 else evaluations
    except UsageError as error:
        for evaluation in evaluations:
            _print([evaluation])
        if folder is None or not isinstance(error, DifferentProtocols):
            raise
        names = [evaluation.name for evaluation in evaluations]
        pair = typed("explain", [folder / str(names.index(name)) for name in error.names])
        raise UsageError(f"{str(error)[:-1]}; type python src/eval.py {pair} to see what each does.") from None
    _print(together)


def in_order(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """Sort by the first metric that all subjects have and that says which value is better, the best first; raise a
    UsageError if there is none, or if a metric was measured by different protocols.
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
    """Print a row for each metric and a column for each subject, the best values in bold; then notes and protocol."""
    out = console()
    metrics = _by_metric(evaluations)
    for number, evaluation in enumerate(evaluations, 1):
        out.print(f"{number}: {evaluation.kind}, {evaluation.name}", soft_wrap=True)
    n_columns = max(1, (out.width - 44) // 18)  # beside the names of metrics
    for first in range(0, len(evaluations), n_columns):
        out.print(_table(metrics, evaluations, range(first, min(first + n_columns, len(evaluations)))))
    measurements = [measurement for evaluation in evaluations for measurement in evaluation.measurements.values()]
    settings = [(m.stamp.metric, _settings(m.stamp)) for m in measurements if len(evaluations) > 1]
    notes = _names_by_text([*settings, *((m.stamp.metric, m.note) for m in measurements)])
    reasons = _names_by_text([pair for evaluation in evaluations for pair in evaluation.not_applicable.items()])
    lines = [f"{names}: {note}" for note, names in notes.items()]
    lines += [f"Not applicable: {names}, as {reason}" for reason, names in reasons.items()]
    lines += _disagreements(metrics, evaluations)
    if any(measurement.error is not None for measurement in measurements):
        lines.append(OVER_IMAGES)
    for line in (*lines, f"Protocol: {_protocol(measurements)}"):
        out.print(f"{line}.")


def _disagreements(metrics: Mapping[str, Mapping[str, Measurement]], evaluations: Sequence[Evaluation]) -> list[str]:
    """Say which subjects stand in another order by the distance in one encoder's features than in another's."""
    distances = [name for name in metrics if name.startswith(("fid", "fd_")) and not name.endswith("_per_label")]
    values = pd.DataFrame({metric: {name: m.value for name, m in metrics[metric].items()} for metric in distances})
    numbers = {evaluation.name: number for number, evaluation in enumerate(evaluations, 1)}
    lines = []
    for pair in combinations(distances, 2):
        first, second = (values[metric] for metric in pair)
        turned = [
            f"{numbers[a]} and {numbers[b]}"
            for a, b in combinations(numbers, 2)
            if (first[a] - first[b]) * (second[a] - second[b]) < 0
        ]
        if turned:
            lines.append(f"{' and '.join(pair)} disagree on the order of {listed(turned)}")
    return lines


def _table(
    metrics: Mapping[str, Mapping[str, Measurement]], evaluations: Sequence[Evaluation], columns: range
) -> Table:
    """A table of some of the subjects; one that stands alone has its settings beside each value."""
    is_single = len(evaluations) == 1
    table = Table()
    table.add_column("metric", overflow="fold")
    for column in columns:
        table.add_column("value" if is_single else str(column + 1), justify="right", no_wrap=True)
    if is_single:
        table.add_column("n and settings", overflow="fold")
    for metric, found in metrics.items():
        some = next(iter(found.values()))
        best = ranked(found)[0] if some.better and len(found) > 1 else None
        names = [evaluations[column].name for column in columns]
        cells = [_cell(found.get(name), 5 if is_single else 4, is_best=name == best) for name in names]
        table.add_row(metric + ARROWS[some.better], *cells, *([Text(_settings(some.stamp))] if is_single else []))
    return table


def _cell(measurement: Measurement | None, digits: int, is_best: bool) -> Text:
    if measurement is None:
        return Text("–")
    spread = measurement.spread if digits > 4 else None
    half = spread if measurement.error is None else NORMAL * measurement.error
    return Text(f"{measurement.value:.{digits}g}{plus_minus(half)}", "bold" if is_best else "")


def _names_by_text(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """From pairs of a name and a text: the names that share a text, in one line, by that text."""
    found: dict[str, dict[str, None]] = {}
    for name, text in pairs:
        if text:
            found.setdefault(text, {})[name] = None
    return {text: ", ".join(names) for text, names in found.items()}


def _settings(stamp: Stamp) -> str:
    """The numbers of images, and the settings of the metric."""
    fake = f"{stamp.n_fake:,} {stamp.generated or ''}".rstrip() if stamp.n_fake else ""
    real = f"{stamp.n_real:,} {stamp.split}" if stamp.n_real else ""
    sides = " / ".join(side for side in (fake, real) if side)
    return ", ".join(part for part in (sides, stamp.settings) if part)


def _protocol(measurements: Sequence[Measurement]) -> str:
    """The fields that are not in `_settings`, each with all its values."""
    stamps = pd.DataFrame([measurement.stamp.as_dict() for measurement in measurements], dtype=object)
    common = stamps.drop(columns=[*IN_SETTINGS], errors="ignore")
    return ", ".join(f"{field} {' or '.join(map(str, common[field].dropna().unique()))}" for field in common)
