"""A disk that is full while a run goes on: real processes whose writes the system refuses."""

import json
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest
from resuming import SMALL, rows
from settings import ROOT, TINY

pytestmark = pytest.mark.rare
NEVER = 10**9
EVERYTHING = (
    *TINY,
    "data.size=16",
    "trainer.max_epochs=6",
    "callbacks.frechet.n_samples=8",
    "callbacks.samples.every_n_epochs=1",
    "callbacks.reconstructions.every_n_epochs=1",
    "callbacks.curves.every_n_epochs=1",
    "~callbacks.progress",
    "logger=tensorboard",
)


def environment() -> dict[str, str]:
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    return os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}


def trained(folder: Path, first: int, end: int, *overrides: str) -> subprocess.CompletedProcess[str]:
    """A run of six epochs of four steps, whose disk is full from a step on until another."""
    command = [sys.executable, str(ROOT / "tests" / "full_disk_worker.py"), str(folder), str(first), str(end)]
    result = subprocess.run(
        [*command, *EVERYTHING, *overrides], env=environment(), capture_output=True, text=True, timeout=200, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder that the runs share."""
    return f"paths.data_dir={tmp_path_factory.mktemp('data')}"


@pytest.fixture(scope="module")
def whole(tmp_path_factory, data):
    """A run with room."""
    folder = tmp_path_factory.mktemp("whole")
    assert "can't be written" not in trained(folder, NEVER, NEVER, data).stdout
    return folder


@pytest.fixture(scope="module")
def recovered(tmp_path_factory, data):
    """A run without room in the middle, and what it said."""
    folder = tmp_path_factory.mktemp("recovered")
    return folder, trained(folder, 5, 18, data).stdout


@pytest.fixture(scope="module")
def full(tmp_path_factory, data):
    """A run without room from the middle to the end, and what it said."""
    folder = tmp_path_factory.mktemp("full")
    return folder, trained(folder, 10, NEVER, data).stdout


def test_once_there_is_room_again_the_record_is_what_it_would_have_been(recovered, whole):
    folder, _ = recovered
    assert (folder / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "completed"
    expected = json.loads((whole / "summary.json").read_text())
    assert summary.keys() == expected.keys()
    for name in ("curves.png", "samples/epoch_0006.png", "reconstructions/epoch_0006.png", "checkpoints/last.ckpt"):
        assert (folder / name).is_file()
    assert (folder / "samples/epoch_0001.png").is_file()
    assert not (folder / "samples/epoch_0003.png").exists()


def test_each_thing_is_warned_of_once_and_once_more_when_it_is_over(recovered):
    _, said = recovered
    lines = [re.sub(r" \(.*\)", "", line) for line in said.splitlines() if "be written" in line]
    for name in ("metrics.csv", "summary.json", "curves.png", "samples/", "reconstructions/", "last.ckpt"):
        assert lines.count(f"{name} can't be written: training goes on, and tries again.") == 1, name
        assert lines.count(f"{name} can be written again.") == 1, name
    assert len(lines) == len(set(lines))


def test_tensorboard_goes_on_in_another_file(recovered, whole):
    folder, said = recovered
    assert said.count("TensorBoardLogger.log_metrics can't be written") == 1
    assert len(list((whole / "tensorboard").glob("events*"))) == 1
    assert steps_shown(whole) == set(range(24))
    shown = steps_shown(folder)
    assert shown >= {0, 1, 2, 3, 22, 23}
    assert not shown & {8, 9, 10, 11, 12}


def steps_shown(run: Path) -> set[int]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    steps = set()
    for file in (run / "tensorboard").glob("events*"):
        events = EventAccumulator(str(file)).Reload()
        if "train/loss" in events.Tags()["scalars"]:
            steps |= {event.step for event in events.Scalars("train/loss")}
    return steps


def test_without_room_to_the_end_the_run_ends_with_its_score_and_says_what_is_missing(full, whole):
    folder, said = full
    assert re.search(r"^score \d", said, re.MULTILINE)
    (last,) = [line for line in said.splitlines() if line.startswith("The run is completed. Missing")]
    for name in ("metrics.csv", "summary.json", "curves.png", "samples/", "last.ckpt"):
        assert f"{name} (" in last
    assert json.loads((folder / "summary.json").read_text())["status"] == "running"
    mine, theirs = rows(folder), rows(whole)
    assert 10 <= len(mine) < len(theirs)
    assert mine == [{key: row[key] for key in mine[0]} for row in theirs[: len(mine)]]  # later ones have more columns


def test_nothing_half_written_stays(recovered, full, whole):
    for folder in (recovered[0], full[0], whole):
        assert not list(folder.rglob("*.tmp"))
    assert (full[0] / "metrics.csv").read_bytes().endswith(b"\r\n")


def test_a_limit_from_outside_on_the_real_command_is_survived_by_its_log_too(tmp_path):
    run = tmp_path / "run"
    command = [sys.executable, str(ROOT / "src" / "train.py"), *SMALL, "data.limit=16", f"hydra.run.dir={run}"]
    process = subprocess.Popen(
        [*command, "trainer.max_epochs=120"],
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not (run / "checkpoints" / "previous.ckpt").is_file():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    time.sleep(0.5)
    assert process.poll() is None
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out.count("metrics.csv can't be written") == out.count("metrics.csv can be written again") == 1
    assert err.count("train.log can't be written") == 1
    assert "Traceback" not in err
    assert json.loads((run / "summary.json").read_text())["status"] == "completed"
    assert [int(row["step"]) for row in rows(run) if row["train/loss"]] == list(range(120))
