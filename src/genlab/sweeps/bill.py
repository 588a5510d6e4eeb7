"""The bill of a sweep: how long it will take, and how much memory, by short runs of what differs in cost."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from rich.filesize import decimal

from genlab.command_line import literal
from genlab.console import duration
from genlab.errors import UsageError
from genlab.run.identity import IRRELEVANT, PRUNE
from genlab.sweeps.plan import SweepRun
from genlab.sweeps.resources import Pool

FILE, PROBE = "cost.json", "probe of "


class Cost(NamedTuple):
    """What a run takes: see `Probe`."""

    seconds: float | None  # of the whole run; None if it has no end
    n_bytes: int
    available: int | None
    is_bound: bool  # the seconds are too few


def find_costs(runs: Sequence[SweepRun], run_all: Callable[[list[SweepRun]], None]) -> dict[str, Cost]:
    """Have short runs of all that differ in cost run; returns what each costs by its label, and notes it with the runs.

    Raises:
        UsageError: if one can't run.
    """
    with TemporaryDirectory(prefix="probes_") as folder:
        probes = make_probes(runs, Path(folder))
        run_all(list(probes.values()))
        costs = {kind: read_cost(probe) for kind, probe in probes.items()}
    for run in runs:
        run.expected = costs[kind_of(run)].seconds
    return {probes[kind].label.removeprefix(PROBE): cost for kind, cost in costs.items()}


def make_probes(runs: Sequence[SweepRun], folder: Path) -> dict[str, SweepRun]:
    """A short run for all that cost the same, by their kind; what it leaves behind lies in a folder of its own."""
    probes: dict[str, SweepRun] = {}
    for run in runs:
        where = folder / str(len(probes))
        node = {"_target_": "genlab.sweeps.probe.Probe", "file": str(where / FILE)}
        quiet = [f"~logger.{name}" for name in run.config.get("logger") or {}]
        asked = [text for text in run.overrides if not text.startswith(f"+{PRUNE}=")]  # which reports to a search
        overrides = [*asked, *quiet, "preflight=skip", f"+callbacks.probe={literal(node)}"]
        probes.setdefault(kind_of(run), replace(run, overrides=overrides, folder=where, label=PROBE + run.label))
    return probes


def kind_of(run: SweepRun) -> str:
    """All of a configuration that bears on the cost: all but seeds, and what does not bear on the result."""

    def without_seeds(node: Any) -> Any:
        if isinstance(node, Mapping):
            return {key: without_seeds(value) for key, value in node.items() if key != "seed"}
        return node

    bearing = {key: value for key, value in run.config.items() if key not in IRRELEVANT}
    return json.dumps(without_seeds(bearing), sort_keys=True, default=str).replace(str(run.folder), "")


def read_cost(probe: SweepRun) -> Cost:
    """What a probe that has ended has found, with what a run takes beside training.

    Raises:
        UsageError: if it has failed.
    """
    file = probe.folder / FILE
    if probe.state != "completed" or not file.is_file():
        size = (probe.config.get("data") or {}).get("batch_size") or 1
        smaller = f": try data.batch_size={size // 2}" if size > 1 and "memory runs out" in (probe.error or "") else ""
        said = (probe.error or "it has ended before its first batch").rstrip(".")
        raise UsageError(f"{probe.label}: {said}{smaller}.")
    found = json.loads(file.read_text(encoding="utf-8"))
    beside = (probe.seconds or 0) - found["spent"]
    seconds = None if found["seconds"] is None else found["seconds"] + beside
    return Cost(seconds, found["bytes"], found["available"], found["bound"])


def write_bill(costs: Mapping[str, Cost], left: float | None, pool: Pool) -> list[str]:
    """Say in lines what runs cost, by their labels, and when all have ended.

    Raises:
        UsageError: if those that share a device do not fit into its memory.
    """
    most = max(costs.values(), key=lambda cost: cost.n_bytes)
    shared = pool.runs_per_gpu if pool.gpus else pool.n_jobs
    if most.available and most.n_bytes * shared > most.available:
        fits = most.available // most.n_bytes
        raise UsageError(
            f"{shared} runs side by side take {decimal(most.n_bytes * shared)} of memory, and there are "
            f"{decimal(most.available)}: type hydra.launcher.n_jobs={max(1, pool.n_jobs * fits // shared)}."
        )
    least = "at least" if any(cost.is_bound for cost in costs.values()) else "about"
    lines = []
    for label, cost in costs.items():
        time = "no end" if cost.seconds is None else ("at least " * cost.is_bound) + duration(cost.seconds)
        lines.append(f"  {label}: {time}, {decimal(cost.n_bytes)} of memory")
    if left is not None:
        end = datetime.now() + timedelta(seconds=left)
        lines.append(f"all of it takes {least} {duration(left)}, until {end:%A %H:%M}")
    return lines
