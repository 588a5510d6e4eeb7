"""A search with several slots that is killed at random moments: `python tests/faults/kills.py --kills 20 --seed 0`.

The same command is started again and again, and killed by SIGKILL: the launcher alone, whose trials save and stop then,
or all of its processes at once. Then it may end, and what it has left is held against what was seen at each kill. The
exit code is 1 if a trial was lost, run twice, begun anew in spite of a checkpoint, or changed after its end.
A kill comes after 3 to `--latest` seconds, of which a start alone may take 5 to 15.
"""

import argparse
import csv
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import psutil

if __name__ == "__main__":
    ROOT = Path(__file__).parents[2]
    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from optuna.trial import TrialState
from searching import trials
from sweeping import FEW, ended, started, summary

N_EPOCHS = 6
TYPED = (
    *(text for text in FEW if "max_epochs" not in text),
    "hydra/sweeper=optuna", "sweep=s", "preflight=skip", f"trainer.max_epochs={N_EPOCHS}",
    "model.optimizer.lr=tag(log,interval(1e-4,1e-2))", "model.latent_dim=choice(2,4,8)",
)  # fmt: skip


def starts(run_dir: Path) -> list[str]:
    """What each start of a run has printed."""
    return (run_dir / "console.log").read_text().split("$ python ")[1:]


@dataclass
class Killed:
    """A search in a folder that is killed, and what was seen of it."""

    folder: Path
    typed: tuple[str, ...]
    random: Random
    params: dict[int, Any] = field(default_factory=dict)  # by number of the trial
    complete: dict[Path, bytes] = field(default_factory=dict)  # summaries
    resumable: dict[Path, int] = field(default_factory=dict)  # how often those were started that have a checkpoint
    problems: list[str] = field(default_factory=list)

    @property
    def sweep(self) -> Path:
        return self.folder / "logs/train/sweeps/s"

    def kill(self, earliest: float, latest: float) -> str:
        """Start it, kill it after some seconds, and note what there is; returns what was done."""
        process = started(*TYPED, *self.typed, cwd=self.folder)
        seconds, everything = self.random.uniform(earliest, latest), self.random.random() < 0.5
        end = time.monotonic() + seconds
        while time.monotonic() < end and process.poll() is None:
            time.sleep(0.05)
        if process.poll() is not None:
            return f"ended by itself, code {process.returncode}: {ended(process).stderr[-300:]}"
        victims = psutil.Process(process.pid).children(recursive=True) if everything else []
        process.send_signal(signal.SIGKILL)
        for victim in victims:
            victim.kill()
        ended(process)  # waits for all that hold its pipes
        self.look()
        return f"{'all processes' if everything else 'the launcher'} after {seconds:.1f} s"

    def look(self) -> None:
        """Note what there is, and what is not as it was."""
        if not (self.sweep / "study.log").exists():
            return
        for trial in trials(self.sweep):
            run_dir = self.sweep / trial.user_attrs.get("folder", "none yet")
            if trial.number in self.params and self.params[trial.number] != trial.params:
                self.problems.append(f"trial {trial.number} has other parameters")
            if "folder" in trial.user_attrs:
                self.params[trial.number] = trial.params
            if (run_dir / "checkpoints" / "last.ckpt").exists() and summary(run_dir)["status"] != "completed":
                self.resumable.setdefault(run_dir, len(starts(run_dir)))
        for run_dir in {path.parent for path in self.sweep.glob("*/summary.json")}:
            content = (run_dir / "summary.json").read_bytes()
            if self.complete.get(run_dir, content) != content:
                self.problems.append(f"{run_dir.name} was complete, and has changed")
            if summary(run_dir)["status"] == "completed":
                self.complete[run_dir] = content

    def finish(self, n_trials: int) -> list[str]:
        """Let it end; returns what is wrong."""
        result = ended(started(*TYPED, *self.typed, cwd=self.folder), seconds=1800)
        if result.returncode:
            return [*self.problems, f"code {result.returncode}: {result.stdout[-500:]} {result.stderr[-2000:]}"]
        self.look()
        known = trials(self.sweep)
        if [trial.number for trial in known] != list(range(n_trials)):
            self.problems.append(f"the trials are {[trial.number for trial in known]}")
        self.problems += [f"trial {t.number} is {t.state}" for t in known if t.state != TrialState.COMPLETE]
        folders = {self.sweep / trial.user_attrs["folder"] for trial in known}
        if folders != {path.parent for path in self.sweep.glob("*/summary.json")}:
            self.problems.append("there are runs that belong to no trial")
        for folder, n_starts in self.resumable.items():
            if (later := starts(folder)[n_starts:]) and "Resumed after step" not in later[-1]:
                self.problems.append(f"{folder.name} had a checkpoint and was begun anew")
        for folder in folders:
            with (folder / "metrics.csv").open(newline="") as file:
                epochs = [row["epoch"] for row in csv.DictReader(file) if row.get("val/loss")]
            if epochs != [str(epoch) for epoch in range(N_EPOCHS)] or summary(folder)["epochs"] != N_EPOCHS:
                self.problems.append(f"{folder.name} has validated in epochs {', '.join(epochs)}")
        return self.problems


def kill_search(
    folder: Path, n_kills: int, n_trials: int, n_slots: int, seed: int, seconds: tuple[float, float], *typed: str
) -> Killed:
    """Kill a search so often; returns what was seen, before it may end."""
    given = (f"hydra.sweeper.n_trials={n_trials}", f"hydra.sweeper.n_jobs={n_slots}", *typed)
    search = Killed(folder, given, Random(seed))
    for number in range(n_kills):
        done = search.kill(*seconds)
        print(
            f"kill {number + 1}: {done}; {len(search.params)} trials asked for, {len(search.complete)} complete",
            flush=True,
        )
    return search


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name, default in (("kills", 20), ("trials", 24), ("slots", 4), ("seed", 0), ("latest", 30)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        search = kill_search(Path(name), given.kills, given.trials, given.slots, given.seed, (3, given.latest))
        problems = search.finish(given.trials)
    print(
        f"{len(search.resumable)} trials had a checkpoint to go on from; problems: {len(problems)}",
        *problems,
        sep="\n  ",
    )
    sys.exit(bool(problems))
