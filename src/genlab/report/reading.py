"""Reading run folders. What can't be read is said, and the rest is kept."""

import json
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from genlab.report.cell import Cell, mapping

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster than Python's own


class Unreadable(Exception):
    """A file of a run that is missing or damaged, and why."""


def read_cell(folder: Path, name: str) -> Cell:
    """Read a run folder. Never raises for what is in it."""
    parts: dict[str, Any] = {}
    damage = []
    for part, read in (("summary", _summary), ("config", _config), ("history", _history)):
        try:
            parts[part] = read(folder)
        except Unreadable as reason:
            damage.append(str(reason))
    complete = mapping(parts.get("summary")).get("status") in ("completed", "pruned")
    if complete and not (folder / "metrics.csv").is_file():
        damage.append("metrics.csv is missing")
    return Cell(name, folder, **parts, damage=tuple(damage))


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
        text = path.read_text()
        history = pd.read_csv(StringIO(text[: text.rfind("\n") + 1]))  # a row that is being written has no end yet
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
