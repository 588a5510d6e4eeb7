"""What a run leaves behind."""

import csv
import json

import pytest
import torch
from omegaconf import OmegaConf
from settings import TINY, config

from genlab.commands.load import load_run, read_checkpoint
from genlab.commands.train import train
from genlab.config.build import build
from genlab.errors import UsageError


def test_the_run_folder_holds_what_the_design_promises(vae_run):
    files = {str(path.relative_to(vae_run.path)) for path in vae_run.path.rglob("*") if path.is_file()}
    assert files == {
        ".lock",
        "config.yaml",
        "summary.json",
        "metrics.csv",
        "curves.png",
        "checkpoints/last.ckpt",
        "checkpoints/previous.ckpt",
        "checkpoints/best.ckpt",
        "samples/epoch_0002.png",
        "reconstructions/epoch_0002.png",
    }


def test_the_summary_says_how_the_run_went(vae_run):
    summary = json.loads((vae_run.path / "summary.json").read_text())
    assert summary["status"] == "completed"
    assert summary["epochs"] == 2
    assert summary["steps"] == 8
    assert summary["images_seen"] == 128
    assert summary["images_per_second"] > 0
    model = load_run(str(vae_run.path)).model
    assert summary["parameters"]["total"] == sum(p.numel() for p in model.parameters())
    score = summary["metrics"]["val/fd_efficientnet_lite0"]
    assert score["value"] == vae_run.score
    assert score["protocol"]["n_fake"] == 32
    assert score["protocol"]["n_real"] == 64
    assert score["protocol"]["weights"] == "ema"
    assert summary["versions"]["torch"] == torch.__version__.split("+")[0]


@pytest.mark.parametrize("fixture", ["vae_run", "gan_run"])
def test_metrics_are_logged_over_batches_with_the_images_seen(fixture, request):
    run = request.getfixturevalue(fixture)
    with (run.path / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    training = [row for row in rows if row["train/images_seen"]]
    assert [int(row["step"]) for row in training] == list(range(8))
    assert [float(row["train/images_seen"]) for row in training] == [16.0 * (step + 1) for step in range(8)]
    scored = [row for row in rows if row["val/fd_efficientnet_lite0"]]
    assert [int(row["step"]) for row in scored] == [7]
    assert float(scored[0]["val/fd_efficientnet_lite0"]) == pytest.approx(run.score)


def test_the_configuration_alone_rebuilds_the_model(vae_run):
    stored = OmegaConf.load(vae_run.path / "config.yaml")
    rebuilt = build(stored.model)
    rebuilt.load_state_dict(read_checkpoint(vae_run.path / "checkpoints" / "last.ckpt")["state_dict"])
    assert OmegaConf.to_container(stored) == read_checkpoint(vae_run.path / "checkpoints" / "best.ckpt")["config"]


def test_a_folder_that_holds_a_run_is_never_used_again(vae_run):
    before = (vae_run.path / "summary.json").read_text()
    with pytest.raises(UsageError, match="already holds a run"):
        train(config(*TINY, run_dir=vae_run.path))
    assert (vae_run.path / "summary.json").read_text() == before


def test_a_failed_run_says_so_and_why(tmp_path):
    with pytest.raises(UsageError):
        train(config(*TINY, "data.batch_size=5000", run_dir=tmp_path))
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["status"] == "failed"
    assert "data.batch_size=5000" in summary["error"]


def test_an_interrupted_run_says_so(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("genlab.models.VAE.training_step", interrupt)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        train(config(*TINY, "callbacks=none", run_dir=tmp_path))
    assert json.loads((tmp_path / "summary.json").read_text())["status"] == "interrupted"


def test_without_any_callback_a_run_still_leaves_its_config_summary_and_metrics(tmp_path):
    assert train(config(*TINY, "callbacks=none", run_dir=tmp_path)) is None
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "config.yaml", "summary.json", "metrics.csv"}


@pytest.mark.parametrize("name", ["fast", "overfit"])
def test_debug_settings_train(name, tmp_path):
    few = ("trainer.max_steps=3", "callbacks=checkpoint", "trainer=cpu")
    train(config(f"debug={name}", *few, run_dir=tmp_path))
    assert read_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["global_step"] == 3


def test_the_summary_says_what_was_typed_and_what_was_added_when_the_run_went_on(tmp_path):
    tiny = [*TINY, "callbacks=none", "model=ae"]
    typed = ["model=ae", "trainer.max_epochs=1"]
    cfg = config(*tiny, "+callbacks.checkpoint._target_=genlab.callbacks.Checkpoint",
                 "+callbacks.checkpoint.dirpath=${paths.run_dir}/checkpoints", run_dir=tmp_path)  # fmt: skip
    train(cfg, typed)
    again = [f"resume={tmp_path}", "trainer.max_epochs=2"]
    train(config(*again, run_dir=tmp_path), again)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["overrides"] == ["model=ae", "trainer.max_epochs=2", f"resume={tmp_path}"]
    assert summary["resumed"]
