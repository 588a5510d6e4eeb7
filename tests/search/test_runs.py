"""Searches as a user starts them, with trials that train."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from kills import kill_search
from optuna.trial import TrialState
from searching import Kill, X, best, parabola, search, trials
from settings import ROOT, run_script
from typed import type_in

from genlab.run.summary import read_outcome

pytestmark = pytest.mark.slow

FOLDER = "logs/train/sweeps/s"
TYPED = (
    "-m",
    "hydra/sweeper=optuna",
    "hydra/launcher=basic",
    "hydra/sweeper/pruner=median",
    "hydra.sweeper.pruner.n_startup_trials=1",
    "hydra.sweeper.n_trials=4",
    "model.latent_dim=choice(2,8)",
    "model.optimizer.lr=tag(log,interval(1e-5,1e-2))",
    "sweep=s",
    "trainer=cpu",
    "data.limit=64",
    "data.batch_size=16",
    "trainer.max_epochs=2",
    "callbacks.frechet.n_samples=32",
    "callbacks.frechet.every_n_epochs=1",
    "~callbacks.progress",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, shared_data) -> Any:
    """A search that nobody disturbs."""
    folder = tmp_path_factory.mktemp("whole")
    result = type_in("train", *TYPED, f"paths.data_dir={shared_data}", cwd=folder, OMP_NUM_THREADS="1")
    assert result.returncode == 0, result.stderr
    return folder / FOLDER, result.stdout


def run_folders(folder: Path) -> list[Path]:
    return [path.parent for path in folder.glob("*/summary.json")]


def test_a_search_prunes_what_lags_behind_and_leaves_all_there_is_to_know(whole):
    folder, printed = whole
    known = trials(folder)
    states = [trial.state for trial in known]
    assert states[0] == TrialState.COMPLETE
    assert TrialState.PRUNED in states
    for trial in known:
        run_dir = read_outcome(folder / trial.user_attrs["folder"])
        assert run_dir.status == {TrialState.COMPLETE: "completed", TrialState.PRUNED: "pruned"}[trial.state]
        assert trial.values == [run_dir.score]
        assert len(trial.intermediate_values) == (2 if trial.state == TrialState.COMPLETE else 1)
    assert len(run_folders(folder)) == 4
    complete = [trial for trial in known if trial.state == TrialState.COMPLETE]
    assert best(folder)["best"][0]["trial"] == min(complete, key=lambda trial: trial.values).number
    assert "Best trial" in printed


def test_a_search_that_was_killed_in_the_middle_of_a_trial_ends_as_one_that_was_not(whole, tmp_path, shared_data):
    typed = (*TYPED, f"paths.data_dir={shared_data}")
    command = [sys.executable, str(ROOT / "src" / "train.py"), *typed]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1"}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    folder, until = tmp_path / FOLDER, time.monotonic() + 100
    while not any(path.parent.name.endswith("checkpoints") for path in folder.glob("*/checkpoints/best.ckpt")):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert TrialState.RUNNING in [trial.state for trial in trials(folder)]
    result = type_in("train", *typed, cwd=tmp_path, OMP_NUM_THREADS="1")
    assert result.returncode == 0, result.stderr
    for field in ("params", "values", "state", "intermediate_values", "user_attrs"):
        mine, theirs = ([getattr(trial, field) for trial in trials(which)] for which in (folder, whole[0]))
        assert mine == theirs, field
    assert len(run_folders(folder)) == 4


@pytest.mark.rare
def test_a_search_with_slots_that_is_killed_three_times_loses_no_trial_and_runs_none_twice(tmp_path):
    assert kill_search(tmp_path, 3, n_trials=4, n_slots=2, seed=2, seconds=(6, 15)).finish(4) == []


def test_a_wrong_key_ends_a_search_before_its_first_trial_with_one_sentence(tmp_path):
    result = type_in("train", "-m", "hydra/sweeper=optuna", "model.latent_dims=choice(1,2)", cwd=tmp_path)
    assert result.returncode == 1
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("error: There is no model key 'latent_dims'. Did you mean 'latent_dim'?")


def test_without_optuna_one_sentence_says_what_to_install(tmp_path):
    (tmp_path / "optuna.py").write_text("raise ImportError('none here')")
    typed = ("-m", "hydra/sweeper=optuna", "model.latent_dim=choice(1,2)")
    result = run_script("train", *typed, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert result.returncode == 1
    assert result.stderr.strip() == 'error: hydra/sweeper=optuna needs Optuna: pip install "optuna>=5" (none here).'


def test_help_imports_no_optuna(tmp_path):
    (tmp_path / "optuna.py").write_text("raise SystemExit('optuna was imported')")
    result = run_script("train", "--help", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert result.returncode == 0, result.stderr


def test_a_search_waits_for_the_process_that_still_trains_one_of_its_trials(tmp_path):
    def kill(run_dir):
        raise Kill

    with pytest.raises(Kill):
        search(tmp_path, kill, X, "hydra.sweeper.n_trials=1")
    (run_dir,) = (path for path in tmp_path.iterdir() if path.is_dir())
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(run_dir / ".lock")], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    with holder.stdout:
        holder.stdout.readline()
    start = time.monotonic()
    search(tmp_path, parabola, X, "hydra.sweeper.n_trials=1")
    assert time.monotonic() - start > 0.5
    assert holder.wait() == 0
    with FileLock(run_dir / ".lock", timeout=0):
        assert trials(tmp_path)[0].state == TrialState.COMPLETE


HOLD = """
import sys, time
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(1)
"""
