"""What a `.env` file, and references to the environment, make of a command: nothing but the variables they set."""

import io
import os
import shutil
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf
from photos import put_photos
from typed import assert_refused, type_in

from genlab.cli import explain_errors
from genlab.run.checkpoint import read_checkpoint, write_checkpoint

T = (
    *("debug=fast", "data.limit=48", "data.batch_size=16", "callbacks.frechet.n_samples=16", "trainer=cpu"),
    *("~callbacks.progress", "~callbacks.curves"),
)
FOLDER = ("data=folder", "data.root=${oc.env:FACES}", "data.name=faces", "data.size=16")
PLAIN = "RUN_NAME=frechet\nDATASET=digits\nOPTION=gan\nSTEPS=100000\nCOMPOSE_PROJECT_NAME=genlab\nROOT=data\nX=logs\n"
SECRET = (
    "MY_TOKEN=frechet\nKEY=digits\nAUTH_MODE=tensorboard\nSECRET_STEPS=100000\nDB_PASSWORD=genlab\n"
    "AUTH_BACKEND=genlab.models.VAE\nAUTH_KEY=n_samples\nPASSWORD=latent_dim\nPASS=completed\n"
)
TYPED = ("trainer.max_steps=100000", "+note='genlab, digits and frechet'", "model.latent_dim=4")


def config(run: Path) -> dict:
    """What a run has recorded, wherever it lies; the same in its file and in its checkpoint."""
    text = (run / "config.yaml").read_text()
    recorded = yaml.safe_load(text)
    assert read_checkpoint(run / "checkpoints" / "last.ckpt")["config"] == recorded
    return yaml.safe_load(text.replace(str(run), "RUN"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder for all."""
    return str(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory, data):
    """A run without any `.env`."""
    cwd = tmp_path_factory.mktemp("plain")
    result = type_in("train", *T, *TYPED, f"paths.data_dir={data}", "hydra.run.dir=run", cwd=cwd)
    assert result.returncode == 0, result.stderr
    return cwd / "run"


@pytest.mark.slow
@pytest.mark.parametrize("lines", [PLAIN, SECRET, "\ufeff# a comment\n" + PLAIN])
def test_ordinary_words_in_env_change_nothing_that_is_recorded(lines, plain, data, tmp_path):
    (tmp_path / ".env").write_text(lines)
    result = type_in("train", *T, *TYPED, f"paths.data_dir={data}", "hydra.run.dir=run", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "oc.env" not in result.stdout + result.stderr
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    assert config(run) == config(plain)
    summaries = [yaml.safe_load((path / "summary.json").read_text()) for path in (run, plain)]
    for key in ("fingerprint", "overrides", "score", "status"):
        assert summaries[0][key] == summaries[1][key]
    elsewhere.mkdir()
    shutil.move(run, elsewhere / "moved")
    drawn = type_in("sample", "run=moved", "output=grid.png", cwd=elsewhere)  # without the .env
    assert drawn.returncode == 0, drawn.stderr
    assert (elsewhere / "grid.png").is_file()


def test_env_sets_variables_and_the_shell_wins(tmp_path):
    (tmp_path / ".env").write_text("LIMIT=nowhere\nFACES=shell-is-not-asked\n")
    for environment, root in (({}, "shell-is-not-asked"), ({"FACES": "shell"}, "shell")):
        result = type_in("train", *T, *FOLDER, cwd=tmp_path, **environment)
        assert_refused(result, f"data.root={root} does not exist")


@pytest.mark.slow
def test_another_line_in_env_leaves_the_cells_of_a_sweep_as_they_are(data, tmp_path):
    sweep = ("-m", *T, "sweep=mine", "seed=0,1", "+note=${oc.env:HIDDEN}", "preflight=skip", f"paths.data_dir={data}")
    for lines in ("HIDDEN=a\n", "HIDDEN=b\nRUN_NAME=frechet\nMY_TOKEN=shibboleth\nAUTH=digits\n"):
        (tmp_path / ".env").write_text(lines)
        result = type_in("train", *sweep, "hydra/launcher=basic", cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        summaries = sorted((tmp_path / "logs/train/sweeps/mine").glob("*/summary.json"))
        assert len(summaries) == 2
    assert result.stdout.count("is complete: nothing is left to do") == 2


@pytest.mark.slow
def test_a_run_reads_its_references_again_and_needs_what_it_uses_alone(data, tmp_path):
    put_photos(tmp_path / "photos")
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    here, there = tmp_path / "here", tmp_path / "there"
    (here / ".env").write_text(f"FACES={tmp_path}/photos\nDATA_DIR={data}\n")
    result = type_in("train", *T, *FOLDER, "+note=${oc.env:NOTE}", "hydra.run.dir=run", cwd=here)
    assert result.returncode == 0, result.stderr
    recorded = config(here / "run")
    assert (recorded["data"]["root"], recorded["note"]) == ("${oc.env:FACES}", "${oc.env:NOTE}")
    assert recorded["data"]["cache_dir"] == "${paths.data_dir}/prepared"
    assert recorded["paths"]["data_dir"] == "${oc.env:DATA_DIR,data}"
    shutil.move(here / "run", there / "run")
    shutil.move(tmp_path / "photos", there / "photos")
    unset = "data.root is read from the environment variable FACES, which is not set: set it in .env."
    for script, typed in (("train", ["resume=run", "trainer.max_epochs=2"]), ("sample", ["run=run"])):
        assert_refused(type_in(script, *typed, cwd=there), unset)
    moved = {"FACES": str(there / "photos"), "DATA_DIR": str(there / "data")}
    drawn = type_in("sample", "run=run", "mode=reconstruct", "output=x.png", cwd=there, **moved)
    assert drawn.returncode == 0, drawn.stderr
    again = type_in("train", "resume=run", "trainer.max_epochs=2", "tags=['${oc.env:TAG}']", cwd=there, **moved)
    assert again.returncode == 0, again.stderr
    assert config(there / "run")["data"] == recorded["data"]
    assert config(there / "run")["tags"] == ["${oc.env:TAG}"]
    summary = yaml.safe_load((there / "run" / "summary.json").read_text())
    assert summary["overrides"][-1] == "tags=['${oc.env:TAG}']"
    assert summary["epochs"] == 2


@pytest.mark.slow
def test_a_cell_whose_data_folder_was_recorded_by_its_path_goes_on(data, tmp_path):
    photos = put_photos(tmp_path / "photos")
    typed = (*T, *FOLDER, "hydra.run.dir=run", "resume=auto")
    for number, epochs in enumerate((1, 2)):
        result = type_in(
            "train", *typed, f"trainer.max_epochs={epochs}", cwd=tmp_path, FACES=str(photos), DATA_DIR=data
        )
        assert result.returncode == 0, result.stderr
        last = tmp_path / "run" / "checkpoints" / "last.ckpt"
        checkpoint = read_checkpoint(last)
        assert checkpoint["epoch"] == number
        checkpoint["config"]["data"] |= {"root": str(photos), "cache_dir": f"{data}/prepared"}  # as it was done before
        write_checkpoint(checkpoint, last)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"A=\xff\xfe\n", "can't be read ('utf-8' codec"), (b"A=a\0b\n", "can't be read (embedded null")],
)
def test_an_env_file_that_is_no_text_is_said(content, said, tmp_path):
    (tmp_path / ".env").write_bytes(content)
    assert_refused(type_in("train", *T, cwd=tmp_path), f"{tmp_path}/.env {said}", "lines of NAME=VALUE, in UTF-8.")


@pytest.mark.parametrize("more", [(), ("-m", "hydra/launcher=submitit_local")])
def test_a_password_in_an_address_is_refused_before_anything_is_written(more, tmp_path):
    result = type_in("train", *more, *T, "+path='https://me:geheim@example.org/a'", cwd=tmp_path)
    assert_refused(result, "'https://***@example.org/a' holds a password", "type '${oc.env:NAME}' in its place.")
    assert "geheim" not in result.stdout + result.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_is_typed_stays_as_it_is_but_for_a_secret(tmp_path):
    secrets = {"MY_TOKEN": "shibboleth", "AUTH_NAME": "fashion_mnist", "API_KEY": "n_samples"}
    typed = ("data=fashion_mnist", "callbacks.frechet.n_samples=16", "+shibboleth=1", "+note=shibboleth")
    result = type_in("train", *typed, "--cfg", "job", cwd=tmp_path, **secrets)
    assert result.returncode == 0, result.stderr
    printed = yaml.safe_load(result.stdout.replace("${oc.env:MY_TOKEN}: 1", "shibboleth: 1"))
    assert printed["callbacks"]["frechet"]["n_samples"] == 16
    assert printed["data"]["name"] == "fashion_mnist"
    assert (printed["note"], printed["shibboleth"]) == ("${oc.env:MY_TOKEN}", 1)


def test_a_job_in_a_process_that_another_launcher_starts_reads_env_and_prints_no_secret(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdout", out := io.StringIO())
    monkeypatch.setattr("sys.stderr", io.StringIO())
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("MY_TOKEN=shibboleth\n")
    monkeypatch.setattr("genlab.commands.prepare.prepare", lambda cfg: print(f"say {cfg.token}"))
    explain_errors("genlab.commands.prepare.prepare")(OmegaConf.create({"token": "${oc.env:MY_TOKEN}"}))
    assert out.getvalue() == "say ${oc.env:MY_TOKEN}\n"
