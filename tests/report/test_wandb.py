"""The report in W&B: what is logged, read back from its offline file, and what the dashboard asks for."""

import json
import subprocess
import sys
import time

import pytest
from omegaconf import OmegaConf
from report_folders import make_run
from wandb_records import log_records

from genlab.errors import UsageError
from genlab.report import report
from genlab.report.table import read_table
from genlab.report.wandb import dashboard, scores_by_latent_dim, setting, specification

WANDB = {"project": "lecture", "entity": None}
SCORES = {("VAE", 4): (1.0, 3.0), ("VAE", 16): (5.0,), ("GAN", 4): (7.0,)}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A sweep of two models and latent dimensions, one setting with two seeds, on a machine without a W&B account."""
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for (model, latent_dim), scores in SCORES.items():
        for seed, score in enumerate(scores):
            run = tmp_path / "mine" / f"{model}{latent_dim}{seed}"
            make_run(run, score, model=model, latent_dim=latent_dim, seed=seed, config={"logger": {"wandb": WANDB}})
            summary = json.loads((run / "summary.json").read_text())
            summary["metrics"]["health/diversity"] = {"value": 1.0}
            (run / "summary.json").write_text(json.dumps(summary))
    return tmp_path / "mine"


def configured(folder, **keys):
    return OmegaConf.create(
        {"sweep": str(folder), "runs": None, "out": None, "to": None, "paths": {"log_dir": "x"}} | keys
    )


def swept(folder):
    return read_table("mine", sorted(path for path in folder.iterdir() if path.is_dir()), folder)


def test_scores_against_latent_dimension_are_means_over_seeds(folder):
    assert list(scores_by_latent_dim(swept(folder))) == [
        {"latent_dim": 4.0, "score/GAN": 7.0, "score/VAE": 2.0},
        {"latent_dim": 16.0, "score/VAE": 5.0},
    ]


def test_table_and_figures_are_logged_to_a_run_of_their_own_and_the_dashboard_is_left_as_a_file(folder, caplog):
    report(configured(folder, to="wandb"))
    (offline,) = (folder / "wandb").glob("offline-run-*")
    (table,) = (offline / "files" / "media" / "table" / "report").glob("table_*.table.json")
    rows = json.loads(table.read_text())
    assert rows["columns"][:2] == ["rank", "run"]
    assert [row[:2] for row in rows["data"]] == [[1, "VAE40"], [2, "VAE41"], [3, "VAE160"], [4, "GAN40"]]
    assert list((offline / "files" / "media" / "images" / "report").glob("score_against_latent_dim*.png"))
    run, history = eventually(lambda: records(next(offline.glob("*.wandb"))), lambda found: found[0] and found[1])
    assert (run.run_group, run.job_type, run.project) == ("mine", "report", "lecture")
    assert {"latent_dim": 4.0, "score/GAN": 7.0, "score/VAE": 2.0}.items() <= history[0].items()
    assert json.loads((folder / "dashboard.json").read_text())["displayName"] == "genlab mine"
    assert "the dashboard is specified in" in caplog.text
    assert f"wandb sync {folder}/wandb/offline-run-* {folder}/*/wandb/offline-run-*" in caplog.text


def test_what_w_and_b_fails_of_is_one_sentence(folder, monkeypatch):
    def fail(*args, **kwargs):
        raise ConnectionError("the network\nis gone")

    monkeypatch.setattr("wandb.init", fail)
    with pytest.raises(UsageError, match=r"is written, but W&B has not got it \(the network is gone\): type the"):
        report(configured(folder, to="wandb"))
    assert (folder / "report.html").exists()


def test_a_token_in_the_address_of_the_repository_is_not_told(folder, monkeypatch):
    repository = folder / "repository"
    repository.mkdir()
    monkeypatch.chdir(repository)
    author = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
    commands = (["init", "-q"], ["remote", "add", "origin", "https://correct-horse:x@example.org/x.git"])
    for command in (*commands, [*author, "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *command], check=True)
    monkeypatch.delenv("WANDB_DISABLE_GIT", raising=False)
    report(configured(folder, to="wandb"))
    (offline,) = (folder / "wandb").glob("offline-run-*")

    def read():
        return b"".join(path.read_bytes() for path in offline.rglob("*") if path.is_file())

    told = eventually(read, lambda told: b"example.org/x.git" in told)
    assert b"example.org/x.git" in told
    assert b"correct-horse" not in told


def eventually(read, is_whole, seconds=20):
    """What is read once it is whole: on a busy machine W&B's process writes its file after the run has finished."""
    end = time.monotonic() + seconds
    while not is_whole(found := read()) and time.monotonic() < end:
        time.sleep(0.2)
    return found


def records(path):
    from wandb.proto import wandb_internal_pb2

    run, history = None, []
    for data in log_records(path.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.WhichOneof("record_type") == "run":
            run = record.run
        elif record.WhichOneof("record_type") == "history":
            items = record.history.item
            history.append({"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items})
    return run, history


@pytest.mark.parametrize("project", ["${oc.env:WANDB_PROJECT,genlab}", "${oc.env:A_KEY}"])  # the other of a stranger
def test_a_project_that_the_runs_read_from_the_environment_is_the_one_that_w_and_b_reads(
    project, tmp_path, monkeypatch
):
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    monkeypatch.setenv("A_KEY", "shibboleth")
    monkeypatch.delenv("WANDB_ENTITY", raising=False)
    logger = {"project": project, "entity": "${oc.env:WANDB_ENTITY,null}"}
    make_run(tmp_path / "mine" / "a", 1.0, config={"logger": {"wandb": logger}})
    assert setting(swept(tmp_path / "mine"), "project") == "mine"
    assert setting(swept(tmp_path / "mine"), "entity") is None


def test_the_dashboard_asks_for_what_the_runs_of_the_sweep_log(folder):
    view = specification(dashboard(swept(folder), "me", "lecture"))["spec"]["section"]
    panels = {panel["viewType"]: [] for section in view["panelBankConfig"]["sections"] for panel in section["panels"]}
    for section in view["panelBankConfig"]["sections"]:
        for panel in section["panels"]:
            panels[panel["viewType"]].append(panel["config"])
    lines = {(line["xAxis"], *line["metrics"]) for line in panels["Run History Line Plot"]}
    assert lines == {
        ("latent_dim", "score/GAN", "score/VAE"),
        ("train/images_seen", "val/fd"),
        ("train/images_seen", "health/diversity"),
    }
    (scatter,) = panels["Scatter Plot"]
    assert (scatter["xAxis"], scatter["yAxis"]) == ("config:model.value.latent_dim", "summary:val/fd.min")
    assert [media["mediaKeys"] for media in panels["Media Browser"]] == [["samples/grid"], ["reconstructions/grid"]]
    (parallel,) = panels["Parallel Coordinates Plot"]
    accessors = [column["accessor"] for column in parallel["columns"]]
    assert accessors[:3] == ["config:model.value._target_", "config:data.value.name", "config:model.value.latent_dim"]
    assert accessors[-1] == "summary:val/fd.min"
    (runs,) = view["runSets"]
    (only,) = runs["filters"]["filters"]
    assert (only["key"]["name"], only["op"], only["value"]) == ("group", "=", "mine")


def test_without_the_library_and_for_an_unknown_place_there_is_a_sentence(folder, monkeypatch):
    with pytest.raises(UsageError, match=r"There is no value of to 'wandbb'\. Did you mean 'wandb'\?"):
        report(configured(folder, to="wandbb"))
    assert not (folder / "report.html").exists()
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    with pytest.raises(UsageError, match=r'pip install -e "\.\[dashboard\]"'):
        report(configured(folder, to="wandb"))
