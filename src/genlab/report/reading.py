"""Reading run folders, which may come from anybody. What can't be read is said, and the rest is kept.

All that the report knows of a run passes through here: only regular files of the run's own folder are opened, and what
comes out is plain, finite and of a limited size, so that nothing behind this has to look again.
"""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genlab.foreign import LARGEST, Unreadable, parse_yaml, printable, read_mapping, read_text
from genlab.report.cell import Cell, mapping

LONGEST = 10_000  # characters of a text


def read_cell(folder: Path, name: str) -> Cell:
    """Read a run folder. Never raises for what is in it."""
    parts: dict[str, Any] = {}
    damage = []
    for part, read in (("summary", _summary), ("config", _config), ("history", _history)):
        try:
            parts[part] = read(folder)
        except Unreadable as reason:
            damage.append(printable(str(reason)))
    complete = mapping(parts.get("summary")).get("status") in ("completed", "pruned")
    if complete and not (folder / "metrics.csv").is_file():
        damage.append("metrics.csv is missing")
    return Cell(printable(name), folder, **parts, damage=tuple(damage))


def legible(text: str) -> str:
    """A text that can be shown, not all of it if it is long."""
    return printable(text if len(text) <= LONGEST else f"{text[:LONGEST]}…")


def _summary(folder: Path) -> dict[str, Any]:
    summary = read_mapping(folder, "summary.json", json.loads, legible)
    if not isinstance(summary.get("status"), str):
        raise Unreadable("summary.json has no status")
    return summary


def _config(folder: Path) -> dict[str, Any]:
    config = _flat(read_mapping(folder, "config.yaml", parse_yaml, legible))
    home = str(config.get("paths.run_dir", folder))
    return {key: value.removeprefix(home) if isinstance(value, str) else value for key, value in config.items()}


def _history(folder: Path) -> pd.DataFrame:
    """A run that has only begun has none."""
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
    history = history.astype(float).rename(columns=printable)
    return history.where(history.abs() < LARGEST, np.nan)


def _flat(node: dict[str, Any], way: str = "") -> dict[str, Any]:
    """Values by their dotted keys; lists stay whole, as text."""
    found: dict[str, Any] = {}
    for key, value in node.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{way}{key}.")
        else:
            found[f"{way}{key}"] = json.dumps(value) if isinstance(value, list) else value
    return found
