"""What has come of a sweep: its scores and its failures."""

import json
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Column, Table
from rich.text import Text

from genlab.run.identity import Outcome, read_outcome
from genlab.sweeps.plan import Cell
from genlab.sweeps.view import duration, number


def rankings(cells: Sequence[Cell]) -> list[Table]:
    """Rank cells by their scores, the best first: a table for each protocol, as values of two can't be compared."""
    groups: dict[str, list[tuple[Cell, Outcome]]] = {}
    for cell in cells:
        known = read_outcome(cell.folder)
        if cell.state in ("completed", "pruned") and known.score is not None:
            groups.setdefault(json.dumps(_protocol(known), sort_keys=True), []).append((cell, known))
    protocols = [json.loads(key) for key in groups]
    return [_ranking(_title(json.loads(key), protocols), members) for key, members in groups.items()]


def failures(cells: Sequence[Cell]) -> list[str]:
    """Say of each cell that has failed what went wrong and where to read more; lines without a break can be copied."""
    failed = [cell for cell in cells if cell.state == "failed"]
    lines = [f"{len(failed)} of {len(cells)} failed:"] if failed else []
    for cell in failed:
        lines += [f"  {cell.label}", f"    {cell.error}", f"    {cell.folder}"]
    return lines


def _protocol(known: Outcome) -> dict[str, Any]:
    """What has to be equal for two scores to be comparable, the name of the score included."""
    name = str(known.summary["score"].get("name"))
    metric = (known.summary.get("metrics") or {}).get(name)
    protocol = metric.get("protocol") if isinstance(metric, dict) else None
    return {"score": name, **(protocol if isinstance(protocol, dict) else {})}


def _title(protocol: dict[str, Any], all_of_them: Sequence[dict[str, Any]]) -> str:
    """The score's name, and in what its protocol differs from the others'."""
    keys = {key for other in all_of_them for key in other | protocol if other.get(key) != protocol.get(key)}
    differing = [f"{key}={protocol.get(key)}" for key in sorted(keys - {"score", "metric"})]
    return f"{protocol['score']}{', ' if differing else ''}{', '.join(differing)}"


def _ranking(title: str, members: Sequence[tuple[Cell, Outcome]]) -> Table:
    names = ("rank", "cell", "score", "epochs", "time")
    columns = [Column(name, no_wrap=name != "cell", overflow="fold") for name in names]
    table = Table(*columns, title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for rank, (cell, known) in enumerate(sorted(members, key=lambda member: member[1].score or 0.0), 1):
        name = cell.label + (" (pruned)" if cell.state == "pruned" else "")
        seconds = known.summary.get("seconds")
        row = (str(rank), name, number(known.score), str(known.summary.get("epochs", "")), duration(seconds))
        table.add_row(*map(Text, row))
    return table
