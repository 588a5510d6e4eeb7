"""Sweeps under launchers that others wrote: what makes them go on lies in the run itself."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from hydra import compose, initialize_config_dir
from resuming import assert_same_end, rows
from settings import CONFIGS, ROOT, TINY, run_script
from typed import type_in

from genlab.run.summary import read_outcome

SWEEP = ("-m", "sweep=mine", *TINY, "callbacks.frechet.n_samples=32", "~callbacks.progress")
TASK = "submitit.core._submit"


def run_folders(cwd: Path) -> dict[str, Path]:
    """The runs of the sweep by the names of their models."""
    locks = sorted(cwd.glob("logs/*/*/mine/*/.lock"))
    return {path.parent.name.split("model-")[1].split("_")[0]: path.parent for path in locks}


@pytest.mark.rare
def test_each_launcher_leaves_complete_runs_and_makes_the_others(tmp_path):
    models, before = [], {}
    for launcher, model in (("basic", "ae"), ("joblib", "dae"), ("submitit_local", "vae"), ("basic", "wae")):
        models.append(model)
        typed = (*SWEEP, f"model={','.join(models)}", f"hydra/launcher={launcher}", f"paths.data_dir={tmp_path}/data")
        result = run_script("train", *typed, cwd=tmp_path, OMP_NUM_THREADS="1")
        assert result.returncode == 0, result.stderr
        found = run_folders(tmp_path)
        assert list(found) == models
        assert all(read_outcome(run_dir).status == "completed" for run_dir in found.values())
        summaries = {model: (run_dir / "summary.json").read_bytes() for model, run_dir in found.items()}
        assert summaries.items() >= before.items()
        before = summaries


@pytest.mark.rare
def test_a_job_that_submitit_preempts_saves_is_queued_again_and_ends_as_if_it_had_not_been(tmp_path):
    long = ("model=ae", "trainer.max_epochs=60", "trainer.check_val_every_n_epoch=60")
    command = [*SWEEP, *long, "callbacks.checkpoint.every_n_epochs=60", f"paths.data_dir={tmp_path}"]
    whole, preempted = tmp_path / "whole", tmp_path / "preempted"
    for cwd in (whole, preempted):
        cwd.mkdir()
    result = type_in("train", *command, cwd=whole, OMP_NUM_THREADS="1")
    assert result.returncode == 0, result.stderr

    script = [sys.executable, str(ROOT / "src" / "train.py"), *command, "hydra/launcher=submitit_local"]
    with subprocess.Popen(script, cwd=preempted, env=os.environ | {"OMP_NUM_THREADS": "1"}) as launcher:
        wait_for(lambda: [run_dir for run_dir in run_folders(preempted).values() if len(written(run_dir)) > 20])
        tasks = [p for p in psutil.Process(launcher.pid).children(recursive=True) if TASK in p.cmdline()]
        for task in tasks:
            task.send_signal(signal.SIGUSR2)
        assert len(tasks) == 1
        assert launcher.wait(120) == 0
    run = run_folders(preempted)["ae"]
    assert "SIGUSR2: the run saves and stops" in (run / "train.log").read_text()
    assert len(read_outcome(run).summary["resumed"]) == 1
    assert_same_end(run, run_folders(whole)["ae"])


def written(run: Path) -> list[dict[str, str]]:
    """Rows of metrics.csv so far."""
    return rows(run) if (run / "metrics.csv").is_file() else []


def wait_for(condition) -> None:
    """Wait at most a minute."""
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("It has not come to pass.")


def test_the_preset_for_slurm_asks_for_a_task_a_gpu_and_to_be_queued_again():
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        cfg = compose("train", ["hydra/launcher=slurm", "hydra.launcher.gpus_per_node=4"], return_hydra_config=True)
    launcher = cfg.hydra.launcher
    assert launcher._target_.endswith("SlurmLauncher")
    assert (launcher.tasks_per_node, launcher.nodes) == (4, 1)
    assert launcher.max_num_timeout > 0
    assert launcher.signal_delay_s >= 60
