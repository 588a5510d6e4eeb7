"""W&B's server, or the way to it, fails: at the start of a run, in its middle, at its end."""

import re
from pathlib import Path

import pytest
from resuming import SMALL, rows
from typed import Running
from wandb_server import Server, serving

pytestmark = pytest.mark.slow

N_EPOCHS = 40


def started(server: Server, folder: Path, *overrides: str) -> Running:
    environment = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": "x" * 40, "HOME": str(folder)}
    timeouts = [f"+logger.wandb.settings.{key}=2" for key in ("x_graphql_timeout_seconds", "login_timeout")]
    timeouts += [f"logger.wandb.settings.{key}=3" for key in ("init_timeout", "finish_timeout")]
    arguments = (*SMALL, *timeouts, "data.limit=16", "logger=wandb", f"trainer.max_epochs={N_EPOCHS}", *overrides)
    return Running("train", *arguments, f"hydra.run.dir={folder / 'run'}", cwd=folder, **environment)


def ended(process: Running, folder: Path) -> str:
    """What the run has said; it is complete, whatever W&B did."""
    result = process.end(200)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    assert [int(row["step"]) for row in rows(folder / "run") if row["train/loss"]] == list(range(N_EPOCHS))
    return result.stdout


@pytest.mark.parametrize("behaviour", ["nonsense", pytest.param("stall", marks=pytest.mark.rare)])
def test_a_run_that_the_server_does_not_begin_is_recorded_offline_and_that_is_said_once(behaviour, tmp_path):
    with serving(behaviour) as server:
        out = ended(started(server, tmp_path), tmp_path)
    assert out.count("W&B runs offline (") == out.count("wandb sync") == 1
    (record,) = (tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb")
    assert record.stat().st_size > 1000
    assert record.stem == f"run-{(tmp_path / 'run' / 'wandb_run_id.txt').read_text()}"


@pytest.mark.parametrize("behaviour", ["gone", pytest.param("stall", marks=pytest.mark.rare)])
def test_a_server_that_fails_in_the_middle_delays_the_end_by_no_more_than_is_set(behaviour, tmp_path):
    with serving("well") as server:
        process = started(server, tmp_path)
        assert server.got_rows.wait(100), process.said()
        server.behaviour = behaviour
        if behaviour == "gone":
            server.go_away()
        out = ended(process, tmp_path)
    assert "offline" not in out
    assert len(re.findall(r"W&B has not got all of this run .*wandb sync .*/run/wandb/run-", out)) == 1


def test_a_server_that_works_gets_it_all(tmp_path):
    with serving("well") as server:
        out = ended(started(server, tmp_path), tmp_path)
        assert server.got_rows.is_set()
    assert "W&B" not in out
