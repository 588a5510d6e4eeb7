"""How long the slots of a search stand idle: `python tests/benchmarks/slots.py [N_TRIALS [UNIT]]`. Run by hand.

Four slots of trials that sleep for 1 to 4 units (of 4 seconds), by a real command with real processes. A slot is idle
from the end of a process to the start of the next one in it; the tail, in which nothing is left to start, does not
count. What a process takes besides its sleep (its start, mostly) is told too, as trainings have it as well.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from contest import ROOT  # first: it puts src and tests on the path

# isort: split
from omegaconf import DictConfig

from genlab.cli import command

N_SLOTS, LOG = 4, "SLOTS_LOG"
TYPED = (
    "hydra/sweeper=optuna", "hydra/sweeper/sampler=random", f"hydra.sweeper.n_jobs={N_SLOTS}", "preflight=skip",
    "model.optimizer.lr=interval(1,4)",
)  # fmt: skip


def sleep(cfg: DictConfig) -> None:
    """The task of a trial."""
    from genlab.run.summary import write_summary

    seconds = cfg.model.optimizer.lr * float(os.environ["UNIT"])
    time.sleep(seconds)
    write_summary(Path(cfg.paths.run_dir), status="completed", score={"name": "val/x", "value": seconds})
    note("slept", seconds)


def note(*what: Any) -> None:
    """Append a line to the log of the benchmark."""
    with Path(os.environ[LOG]).open("a") as file:
        file.write(json.dumps([time.monotonic(), *what]) + "\n")


def watch() -> None:
    """Have the launcher note starts and ends."""
    from genlab.sweeps.runner import Runner

    start, end = Runner._start, Runner._end
    Runner._start = lambda self, run, gpus: (note("start", str(run.folder)), start(self, run, gpus))[1]  # type: ignore
    Runner._end = lambda self, work: (end(self, work), note("end", str(work.run.folder)))[0]  # type: ignore


def read(log: Path) -> None:
    """Print what the slots did."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    events = [(at, 1 if what == "start" else -1) for at, what, _ in lines if what != "slept"]
    last_start = max(at for at, change in events if change == 1)
    n, idle, first = 0, 0.0, events[0][0]
    for (at, change), (after, _) in pairwise(events):
        n += change
        idle += (N_SLOTS - n) * max(0.0, min(after, last_start) - at)
    n_trials = sum(what == "slept" for _, what, _ in lines)
    asleep = sum(seconds for _, what, seconds in lines if what == "slept")
    at_work = sum(-change * at for at, change in events)
    print(f"{n_trials} trials, {last_start - first:.0f} s to the last start; load {os.getloadavg()[0]:.1f}")
    print(f"idle: {idle / (N_SLOTS * (last_start - first)):.2%} of the slots' time before it")
    print(f"a process takes {(at_work - asleep) / n_trials:.2f} s besides its sleep")


if __name__ == "__main__":
    if LOG in os.environ:
        if "-m" in sys.argv:
            watch()
        command("train", "slots.sleep")()
    else:
        n_trials, unit = [*sys.argv[1:], "40", "4"][:2] if len(sys.argv) != 2 else (sys.argv[1], "4")
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "log"
            environment = os.environ | {LOG: str(log), "UNIT": unit, "PYTHONPATH": str(ROOT / "src")}
            typed = (*TYPED, f"hydra.sweeper.n_trials={n_trials}", "sweep=s")
            subprocess.run([sys.executable, __file__, "-m", *typed], cwd=folder, env=environment, check=True)
            read(log)
