"""Sweeps that are stopped, killed, or started twice."""

import os
import signal
import subprocess

import pytest
from sweeping import FEW, MOODY, ended, started, summary, swept, wait_until
from typed import type_in

LONG = (*FEW, "trainer.max_epochs=24", "model=vae")


def rows(folder):
    """Rows of the only run's metrics.csv; 0 before there is one."""
    return sum(len(file.read_text().splitlines()) for file in folder.glob("*/metrics.csv"))


@pytest.mark.rare
def test_a_sweep_that_is_stopped_and_then_killed_ends_as_an_undisturbed_run(tmp_path):
    folder = tmp_path / "logs" / "train" / "sweeps" / "s"
    for number, exit_code in ((signal.SIGTERM, 143), (signal.SIGKILL, -9)):
        before = rows(folder)
        process = started(*LONG, "sweep=s", cwd=tmp_path)
        wait_until(lambda before=before: rows(folder) > before + 6)
        process.send_signal(number)
        result = ended(process)
        assert result.returncode == exit_code, result.stderr
        (run_dir,) = (path for path in folder.iterdir() if path.is_dir())
        wait_until(lambda run_dir=run_dir: summary(run_dir)["status"] == "interrupted", 30)
        assert (run_dir / "checkpoints" / "last.ckpt").is_file()
        if number == signal.SIGTERM:
            assert "Stopped by SIGTERM. To go on where it has stopped, type\n  python " in result.stdout
            assert "failed" not in result.stdout
    result = swept(*LONG, "sweep=s", cwd=tmp_path)
    assert result.returncode == 0, result.stdout
    assert "1 to go on" in result.stdout
    assert (run_dir / "console.log").read_text().count("Resumed after step") == 2
    alone = type_in("train", *LONG, f"hydra.run.dir={tmp_path}/alone", cwd=tmp_path, OMP_NUM_THREADS="1")
    assert alone.returncode == 0, alone.stderr
    assert (run_dir / "metrics.csv").read_text() == (tmp_path / "alone" / "metrics.csv").read_text()


@pytest.mark.slow
def test_a_second_launch_leaves_at_once_and_a_second_ctrl_c_kills_a_run_that_does_not_listen(tmp_path):
    typed = (*FEW, "+mood=sleeps,fine", "preflight=skip", "sweep=s", "hydra.launcher.n_jobs=1")
    folder = tmp_path / "logs" / "moody" / "sweeps" / "s"
    process = started(*typed, cwd=tmp_path, script=MOODY)
    wait_until((tmp_path / "asleep").exists)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    second = swept(*typed, cwd=tmp_path, script=MOODY)
    assert second.returncode == 1
    assert "Another launcher is at work on the sweep" in second.stderr
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before

    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=3)
    process.send_signal(signal.SIGINT)
    result = ended(process)
    assert result.returncode == 130
    assert "interrupted  +mood=sleeps" in result.stdout
    assert "started      +mood=fine" not in result.stdout


@pytest.mark.rare
def test_what_a_queue_sends_to_all_processes_of_a_group_stops_the_sweep_in_order(tmp_path):
    """SIGTERM and SIGHUP reach the fork server too, which has to outlive them to say how runs end."""
    folder = tmp_path / "logs" / "train" / "sweeps" / "s"
    process = started(*LONG, "sweep=s", cwd=tmp_path)
    wait_until(lambda: rows(folder) > 5)
    os.killpg(process.pid, signal.SIGHUP)
    result = ended(process)
    assert result.returncode == 128 + signal.SIGHUP
    (run_dir,) = (path for path in folder.iterdir() if path.is_dir())
    assert summary(run_dir)["status"] == "interrupted"
    assert "interrupted  " in result.stdout
