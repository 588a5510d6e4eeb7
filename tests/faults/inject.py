"""Faults injected into real training processes: `python tests/faults/inject.py --injections 200 --seed 0`.

Each run is hit several times at random moments and goes on by the same command. At its end its weights, its optimisers
and metrics.csv are compared, to the last bit, with those of a run of the same command that was left alone. The exit
code is 1 if a run has not survived, has lost more than it may, or has ended otherwise; its folder stays.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from training import (  # first: it puts src and tests on the path
    SETTINGS,
    STEPS,
    Broken,
    Training,
    overrides,
    put_pictures,
)

# isort: split
from fault import Fault
from kinds import ALL
from resuming import assert_same_end
from rich.console import Console
from rich.table import Table

PER_RUN = 6  # injections
NOT_REACHED = "not tried, as the run had ended before"


@dataclass
class Injection:
    """One fault, and what came of it."""

    fault: Any
    step: int  # at which the run was hit
    run: Path
    lost: int | None = None  # steps that had to be repeated
    trouble: str = NOT_REACHED
    end: str = "its run has not come to its end"  # or what differs there, or equal

    @property
    def is_well(self) -> bool:
        """Whether all is as it has to be."""
        return not self.trouble and (self.end == "equal" or not self.fault.is_exact)


def planned(faults: Sequence[Any], n: int, seed: int) -> list[tuple[str, list[Any]]]:
    """Spread n injections over settings and runs: each fault is as frequent as the others."""
    numbers = Random(seed)
    possible = [fault for fault in faults if set(fault.settings) & SETTINGS.keys()]
    numbers.shuffle(possible)
    chosen = [possible[number % len(possible)] for number in range(n)]
    groups: dict[tuple[str, bool], list[Any]] = {}
    for number, fault in enumerate(chosen):
        setting = fault.settings[number // len(possible) % len(fault.settings)]
        groups.setdefault((setting, fault.is_exact), []).append(fault)
    runs = []
    for (setting, _), mine in groups.items():
        numbers.shuffle(mine)
        runs += [(setting, mine[start : start + PER_RUN]) for start in range(0, len(mine), PER_RUN)]
    return runs


def whole(setting: str, folder: Path) -> Path:
    """The folder of a run that is left alone."""
    run = Training(folder, overrides(setting, folder))
    run.start()
    run.ends(0)
    return folder


def hit(run: Training, injection: Injection, numbers: Random) -> None:
    """Wait for the moment, strike, and see that the run goes on."""
    run.trains_until(injection.step)
    injection.fault.strike(run, numbers)
    reached = run.n_steps()
    if run.is_running:
        injection.lost = 0
    else:
        run.start()
        run.waits_until(lambda: run.began is not None, "training again")
        injection.lost = max(0, reached - (run.began or 0))
    run.trains_until(0)
    injection.trouble = ""
    if injection.lost > injection.fault.may_lose:
        injection.trouble = f"{injection.lost} steps are lost and {injection.fault.may_lose} may be"


def injected(setting: str, faults: Sequence[Fault], folder: Path, reference: Path, seed: str) -> list[Injection]:
    """Run a setting to its end through some faults, and compare the end. The folder stays if something is wrong."""
    numbers, part = Random(seed), (STEPS - 100) / len(faults)
    steps = [5 + int((number + numbers.random()) * part) for number in range(len(faults))]
    injections = [Injection(fault, step, folder) for fault, step in zip(faults, steps, strict=True)]
    run = Training(folder, overrides(setting, folder))
    current = injections[0]
    try:
        run.start()
        for current in injections:
            hit(run, current, numbers)
        run.ends(0)
        compare(run, reference, injections)
    except Broken as error:
        current.trouble = str(error)
    finally:
        run.kill_all()
    if all(injection.is_well for injection in injections):
        shutil.rmtree(folder)
        shutil.rmtree(f"{folder}_data", ignore_errors=True)
    return injections


def compare(run: Training, reference: Path, injections: Sequence[Injection]) -> None:
    """Note whether a run has ended as one that was left alone.

    Raises:
        Broken: if it has not come to its end.
    """
    if run.checkpointed() != STEPS:
        raise Broken(f"it ended after step {run.checkpointed()}")
    try:
        assert_same_end(run.folder, reference)
        end = "equal"
    except AssertionError as error:
        end = f"the end of the run differs: {' '.join(str(error).split())[:100]}"
    for injection in injections:
        injection.end = end


def table(injections: Sequence[Injection]) -> Table:
    """What came of each kind of fault."""
    shown = Table("fault", "tried", "survived", "steps lost: median", "max", "bytes equal")
    for name in dict.fromkeys(injection.fault.name for injection in injections):
        mine = [injection for injection in injections if injection.fault.name == name]
        lost = [injection.lost for injection in mine if injection.lost is not None]
        tried = sum(injection.trouble != NOT_REACHED for injection in mine)
        numbers = (tried, sum(not injection.trouble for injection in mine))
        numbers += (f"{median(lost):g}", max(lost)) if lost else ("–", "–")
        equal = str(sum(injection.end == "equal" for injection in mine)) if mine[0].fault.is_exact else "not promised"
        shown.add_row(name, *map(str, numbers), equal)
    return shown


def report(injections: Sequence[Injection]) -> int:
    """Print the table, and what has gone wrong; return the exit code."""
    console = Console(width=100)
    console.print(table(injections))
    wrong = [injection for injection in injections if not injection.is_well]
    for injection in wrong:
        said = injection.trouble or injection.end
        console.print(f"{injection.run}, {injection.fault.name} at step {injection.step}: {said}", soft_wrap=True)
    return 1 if wrong else 0


def main() -> int:
    """Read the command line, inject, report, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--injections", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=[""], help="parts of the names of faults; left out: all of them")
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side")
    parser.add_argument("--folder", type=Path, help="where to make a folder for the runs; left out: that of the system")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir=options.folder))
    put_pictures(folder / "pictures")
    faults = [fault for fault in ALL if any(part in fault.name for part in options.only)]
    runs = planned(faults, options.injections, options.seed)
    with ThreadPoolExecutor(options.jobs) as pool:
        settings = dict.fromkeys(setting for setting, _ in runs)
        references = dict(zip(settings, pool.map(lambda s: whole(s, folder / f"{s}_whole"), settings), strict=True))
        jobs = [
            pool.submit(injected, setting, mine, folder / f"{setting}_{n}", references[setting], f"{options.seed} {n}")
            for n, (setting, mine) in enumerate(runs)
        ]
        injections = [injection for job in jobs for injection in job.result()]
    code = report(injections)
    if code == 0:
        shutil.rmtree(folder)
    return code


if __name__ == "__main__":
    sys.exit(main())
