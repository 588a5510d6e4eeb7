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

from training import STEPS, Broken, Training  # first: it puts src and tests on the path

# isort: split
from kinds import ALL, Fault
from resuming import assert_same_end
from rich.console import Console
from rich.table import Table

PER_RUN = 6  # injections

SETTINGS: dict[str, tuple[str, ...]] = {
    "vae": ("model=vae",),
    "gan": ("model=gan", "data=folder", "data.root={pictures}", "data.channels=1", "paths.data_dir={data}"),
    "vaegan": ("model=vaegan",),
    "ddp": ("model=gan", "trainer=ddp_cpu", "data.batch_size=16"),
}


@dataclass
class Injection:
    """One fault, and what came of it."""

    fault: Any
    step: int  # at which the run was hit
    run: Path
    lost: int | None = None  # steps that had to be repeated
    trouble: str = "it was not reached"
    equal: bool = False


def overrides(setting: str, folder: Path) -> tuple[str, ...]:
    """What a command of a setting says. Each run has its own data, so that it can be damaged."""
    places = {"pictures": str(folder.parent / "pictures"), "data": f"{folder}_data"}
    return tuple(override.format(**places) for override in SETTINGS[setting])


def planned(faults: Sequence[Any], n: int, seed: int) -> list[tuple[str, list[Any]]]:
    """Spread n injections over settings and runs: each fault is as frequent as the others."""
    numbers = Random(seed)
    possible = [fault for fault in faults if set(fault.settings) & SETTINGS.keys()]
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
    """Run a setting to its end through some faults, and compare the end."""
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
        if current.fault.is_exact:
            assert_same_end(folder, reference)
        elif run.checkpointed() != STEPS:
            raise Broken(f"it ended after step {run.checkpointed()}")
    except (Broken, AssertionError) as error:
        current.trouble = current.trouble or f"the end differs: {' '.join(str(error).split())[:200]}"
        if isinstance(error, Broken):
            current.trouble = str(error)
    else:
        for injection in injections:
            injection.equal = True
        if not any(injection.trouble for injection in injections):
            shutil.rmtree(folder)
            shutil.rmtree(f"{folder}_data", ignore_errors=True)
    finally:
        run.kill_all()
    return injections


def put_pictures(folder: Path) -> None:
    """Write digits as files."""
    from PIL import Image

    from genlab.data import Digits

    folder.mkdir()
    for number, image in enumerate(Digits()(28, 1, 900)["train"].images[:]):
        Image.fromarray(image[0].numpy()).save(folder / f"{number:04d}.png")


def table(injections: Sequence[Injection]) -> Table:
    """What came of each kind of fault."""
    shown = Table("fault", "tried", "survived", "steps lost: median", "max", "bytes equal")
    for name in dict.fromkeys(injection.fault.name for injection in injections):
        mine = [injection for injection in injections if injection.fault.name == name]
        lost = [injection.lost for injection in mine if injection.lost is not None]
        numbers = (len(mine), sum(not injection.trouble for injection in mine))
        numbers += (median(lost), max(lost)) if lost else ("–", "–")
        equal = str(sum(injection.equal for injection in mine)) if mine[0].fault.is_exact else "not promised"
        shown.add_row(name, *map(str, numbers), equal)
    return shown


def main(arguments: Sequence[str], faults: Sequence[Any] = ALL) -> int:
    """Inject, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--injections", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side")
    parser.add_argument("--folder", type=Path, help="where to run; a temporary folder if left out")
    options = parser.parse_args(arguments)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="faults-"))
    folder.mkdir(parents=True, exist_ok=True)
    put_pictures(folder / "pictures")
    runs = planned(faults, options.injections, options.seed)
    with ThreadPoolExecutor(options.jobs) as pool:
        settings = dict.fromkeys(setting for setting, _ in runs)
        references = dict(zip(settings, pool.map(lambda s: whole(s, folder / f"{s}_whole"), settings), strict=True))
        jobs = [
            pool.submit(injected, setting, mine, folder / f"{setting}_{n}", references[setting], f"{options.seed} {n}")
            for n, (setting, mine) in enumerate(runs)
        ]
        injections = [injection for job in jobs for injection in job.result()]
    console = Console(width=100)
    console.print(table(injections))
    troubles = [injection for injection in injections if injection.trouble or not injection.equal]
    for injection in troubles:
        said = injection.trouble or "its run has another end"
        console.print(f"{injection.run}, {injection.fault.name} at step {injection.step}: {said}", markup=False)
    if not troubles:
        shutil.rmtree(folder)
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
