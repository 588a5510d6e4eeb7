"""W&B in its offline mode, with its files read back."""

import socket
from pathlib import Path

import pytest
import wandb
from settings import TINY
from typed import type_in
from wandb_records import stored_artifacts, stored_records

from genlab.loggers import wandb as module
from genlab.loggers.wandb import choose_mode


@pytest.fixture(autouse=True)
def no_account(monkeypatch, tmp_path):
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_without_a_key_it_is_offline():
    assert "no API key" in choose_mode()[1]


def test_a_key_in_netrc_counts(tmp_path, monkeypatch):
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine api.wandb.ai login user password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setattr(module, "_reachable", lambda host, port: True)
    assert choose_mode() == (None, None)


def test_with_a_key_and_no_network_it_is_offline(monkeypatch):
    with socket.socket() as closed:  # a port of this machine on which nobody listens
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
        monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
        assert choose_mode() == ("offline", "127.0.0.1 can't be reached")


def test_with_a_key_and_a_server_it_is_online(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
        assert choose_mode() == (None, None)


def test_the_users_own_mode_is_respected(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert choose_mode() == ("offline", "WANDB_MODE=offline")


@pytest.mark.slow
def test_an_offline_run_keeps_metrics_pictures_config_tags_checkpoints_and_the_minimum(tmp_path):
    few = (
        "callbacks.frechet.n_samples=8",
        "~callbacks.progress",
        "data.limit=16",
        "seed=3",
        "tags=[lecture]",
    )
    run_dir = tmp_path / "run"
    result = type_in(
        "train",
        *TINY,
        *few,
        "logger=[wandb,tensorboard]",
        "logger.wandb.log_model=true",
        f"hydra.run.dir={run_dir}",
        cwd=tmp_path,
        HOME=str(tmp_path),
    )
    assert result.returncode == 0, result.stderr
    assert "wandb sync" in result.stdout
    (offline_run,) = (run_dir / "wandb").glob("offline-run-*")
    run_id = (run_dir / "wandb_run_id.txt").read_text()
    assert offline_run.name.endswith(run_id)
    folders = {path.parent.name for path in (offline_run / "files" / "media").rglob("*.png")}
    assert folders == {"samples", "reconstructions"}
    history, summary, settings = stored_records(offline_run / f"run-{run_id}.wandb")
    assert any("train/loss" in row and row["trainer/global_step"] == 0 for row in history)
    assert any("samples/grid/_type" in row for row in history)
    assert settings["config"]["model"]["latent_dim"] > 0
    assert settings["config"]["seed"] == 3
    assert settings["tags"] == ["lecture"]
    assert summary == {"val/fd_efficientnet_lite0"}
    assert list((run_dir / "tensorboard").glob("events*"))
    best, last = stored_artifacts(offline_run / f"run-{run_id}.wandb")
    for (name, aliases, files), alias in ((best, "best"), (last, "last")):
        assert (name, aliases) == (f"model-{run_id}", {alias, "latest"})
        assert list(files) == [f"{alias}.ckpt"]
        kept = Path(files[f"{alias}.ckpt"])
        assert kept.is_relative_to(tmp_path)  # W&B's own folder, in the home
        assert kept.read_bytes() == (run_dir / "checkpoints" / f"{alias}.ckpt").read_bytes()


class FakeRun:
    id = "x"

    def __init__(self):
        self.logged = []

    def log_artifact(self, artifact, aliases):
        self.logged.append((aliases, list(artifact.manifest.entries)))


@pytest.mark.parametrize(("log_model", "n"), [(True, 1), (False, 0)])
def test_checkpoints_become_artifacts_only_if_that_is_asked_for(log_model, n, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(wandb, "run", run := FakeRun())
    run.dir = str(tmp_path / "files")
    monkeypatch.setattr(wandb, "finish", lambda: None)
    (tmp_path / "last.ckpt").write_bytes(b"x")
    logger = module.WandbLogger(str(tmp_path), log_model=log_model)
    logger.keep_checkpoints(tmp_path)
    logger.finish()
    assert run.logged == n * [(["last"], ["last.ckpt"])]
