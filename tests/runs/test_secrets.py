"""Secrets never leave the environment: every byte that a run writes is looked at."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from omegaconf import OmegaConf
from settings import ROOT, TINY, run_script

from genlab import secrets
from genlab.errors import UsageError
from genlab.runs.checkpoints import read_checkpoint
from genlab.secrets import recordable, redacted, referring

SECRET, KEY, OPEN = "correct-horse;battery", "0123456789abcdef" * 3, "wonderland-in-june"
FEW = (*TINY, "callbacks.frechet.n_samples=8", "~callbacks.progress", "hydra.run.dir=run")


def holding(folder: Path, text: str) -> set[str]:
    """Names of the files below a folder that hold a text, in their bytes, a part of their archive, or their name."""
    return {
        path.name for path in folder.rglob("*") if text in path.name or any(text.encode() in b for b in parts(path))
    }


def parts(path: Path) -> list[bytes]:
    if not path.is_file():
        return []
    inner = []
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            inner = [archive.read(name) for name in archive.namelist()]
    return [path.read_bytes(), *inner]


def ways(text: str, prefix: str) -> list[str]:
    """A text in all the places of a command line where somebody might put it."""
    return [
        f"+{prefix}_note={text}",
        f"+{prefix}_address='https://someone:{text}@example.org/data?token={text}'",
        f"+{prefix}_list=[a,'{text}']",
    ]


@pytest.fixture
def home(tmp_path):
    """A working directory with a `.env` file and a repository whose remote holds a secret as the user's name."""
    (tmp_path / ".env").write_text(f"HIDDEN='{SECRET}'\nWANDB_API_KEY={KEY}\nWANDB_PROJECT=lecture-project\n")
    for command in (
        ["init", "-q"],
        ["remote", "add", "origin", f"https://{SECRET}:x@example.org/{OPEN}.git"],
        ["-c", "user.name=a", "-c", "user.email=b", "commit", "-q", "--allow-empty", "-m", "first"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def test_a_complete_run_holds_no_secret_and_all_that_is_none(home):
    result = run_script(
        "train",
        *FEW,
        *ways(SECRET, "typed"),  # the value itself
        *ways("${oc.env:HIDDEN}", "read"),
        *ways("${oc.env:MY_TOKEN}", "named"),  # not in .env
        *(argument.replace("someone:", "someone.") for argument in ways(OPEN, "open")),
        f"tags=['{SECRET}',{OPEN}]",
        "logger=[wandb,tensorboard]",
        f"logger.wandb.name='{SECRET} {OPEN}'",
        "logger.wandb.offline=true",
        cwd=home,
        HOME=str(home),
        MY_TOKEN="a-token-of-the-shell",
    )
    assert result.returncode == 0, result.stderr
    for secret in (SECRET, KEY, "a-token-of-the-shell", "correct-horse"):
        assert holding(home / "run", secret) == set()
        assert secret not in result.stdout + result.stderr
    (offline,) = (home / "run").glob("wandb/offline-run-*/run-*.wandb")
    (events,) = (home / "run").glob("tensorboard/events*")
    where = {
        "config.yaml",
        "summary.json",
        "last.ckpt",
        "best.ckpt",
        "hparams.yaml",
        events.name,
        offline.name,
        "debug.log",
    }
    assert holding(home / "run", OPEN) == where
    assert "lecture-project" in (home / "run" / "config.yaml").read_text()
    # The whole command line and the repository are in W&B's file, so the search above would have met secrets there.
    for recorded in (b"+open_note=", b"+typed_note=${oc.env:HIDDEN}", f"@example.org/{OPEN}.git".encode()):
        assert recorded in offline.read_bytes()


def fail(home: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Have a run fail with the value of a variable in its error, which is printed and warned of before."""
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WANDB")}
    return subprocess.run(
        [sys.executable, str(ROOT / "tests" / "leaky_train.py"), name, *FEW, "logger=[wandb,tensorboard]"],
        cwd=home,
        env=environment | {"PYTHONPATH": paths, "HOME": str(home), "WANDB_MODE": "offline", "PLAIN": OPEN},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_run_that_fails_with_a_secret_on_its_lips_keeps_it(home):
    result = fail(home, "HIDDEN")
    assert result.returncode == 1
    assert holding(home / "run", SECRET) == set()
    assert SECRET not in result.stdout + result.stderr
    for place in (result.stderr, *((home / "run" / name).read_text() for name in ("train.log", "summary.json"))):
        assert "RuntimeError: failed with ${oc.env:HIDDEN}" in place
    assert "printed ${oc.env:HIDDEN}" in result.stdout


def test_what_is_no_secret_is_found_where_a_failing_run_has_put_it(home):
    result = fail(home, "PLAIN")
    assert result.returncode == 1
    assert holding(home / "run", OPEN) >= {"train.log", "summary.json", "output.log"}
    assert f"printed {OPEN}" in result.stdout
    assert f"RuntimeError: failed with {OPEN}" in result.stderr


def test_a_wrong_input_that_holds_a_secret_is_answered_without_it(home):
    result = run_script("train", "data=folder", f"data.root='/nowhere/{SECRET}'", "hydra.run.dir=run", cwd=home)
    assert result.stderr.strip().startswith("error: data.root=/nowhere/${oc.env:HIDDEN} does not exist")
    assert holding(home / "run", SECRET) == set()


def test_a_resumed_run_reads_the_secret_again_and_says_which_one_is_missing_only_where_it_is_needed(home):
    photos = home / SECRET
    photos.mkdir()
    for number in range(40):
        subprocess.run(["cp", str(ROOT / "docs" / "digits_gan.png"), str(photos / f"{number}.png")], check=True)
    data = ("data=folder", f"data.root='{photos}'", "data.size=16", "data.limit=16", "data.batch_size=8")
    first = run_script("train", *FEW, *data, "+note=${oc.env:TOKEN}", cwd=home, TOKEN="shibboleth")
    assert first.returncode == 0, first.stderr
    config = yaml.safe_load((home / "run" / "config.yaml").read_text())
    assert config["data"]["root"] == str(home / "${oc.env:HIDDEN}")
    assert read_checkpoint(home / "run" / "checkpoints" / "last.ckpt")["config"] == config
    assert holding(home / "data", "correct-horse") == set()  # the decoded images and their manifest
    again = run_script("train", "resume=run", "trainer.max_epochs=2", cwd=home)  # without TOKEN: nothing needs it
    assert again.returncode == 0, again.stderr
    assert holding(home / "run", SECRET) == set()
    (home / ".env").unlink()
    assert run_script("sample", "run=run", "output=grid.png", cwd=home).returncode == 1
    refused = run_script("train", "resume=run", "trainer.max_epochs=3", cwd=home)
    assert refused.returncode == 1
    assert refused.stderr.strip().startswith("error: ")
    assert "is read from the environment variable HIDDEN, which is not set: set it in .env." in refused.stderr


@pytest.fixture
def environment(monkeypatch):
    """Nothing but what a test sets."""
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(secrets, "_in_file", set())
    return os.environ


@pytest.mark.parametrize("name", ["WANDB_API_KEY", "HF_TOKEN", "my_secret", "DB_PASSWORD", "AWS_CREDENTIALS"])
def test_a_variable_is_secret_by_its_name(name, environment):
    environment |= {name: "shibboleth"}
    assert redacted("say shibboleth!") == f"say ${{oc.env:{name}}}!"


@pytest.mark.parametrize("name", ["HOME", "GIT_AUTHOR_NAME", "KEYBOARD", "DATA_DIR", "WANDB_PROJECT", "WANDB_BASE_URL"])
def test_other_variables_are_not(name, environment):
    environment |= {name: "shibboleth"}
    assert redacted("say shibboleth!") == "say shibboleth!"


def test_empty_and_short_values_are_let_through(environment):
    environment |= {"A_KEY": "", "B_KEY": "false"}
    assert redacted("false") == "false"


@pytest.mark.parametrize("value", ['quo"te\\s', "höhle;:", "line one\nline two", "p@ss/w ord"])
def test_a_secret_is_found_as_json_python_and_addresses_write_it(value, environment):
    environment |= {"MY_KEY": value}
    for text in (value, json.dumps(value), repr(value), quote(value, safe=""), value.splitlines()[-1]):
        assert "oc.env:MY_KEY" in redacted(text)
        assert value.splitlines()[-1] not in redacted(text)


def test_of_two_secrets_of_which_one_holds_the_other_the_longer_is_named(environment):
    environment |= {"A_KEY": "shibboleth", "B_KEY": "shibboleth-and-more"}
    assert referring("shibboleth-and-more") == "${oc.env:B_KEY}"


def test_an_address_shows_neither_user_nor_password(environment):
    assert redacted("clone of https://me:geheim@example.org/a failed") == "clone of https://***@example.org/a failed"
    assert redacted("mail me@example.org or see https://example.org/@me") == (
        "mail me@example.org or see https://example.org/@me"
    )


def test_a_configuration_with_a_password_that_is_not_in_the_environment_is_refused(environment):
    with pytest.raises(UsageError, match=r"\*\*\*@example.org/a holds a password.*oc\.env:NAME") as error:
        recordable(OmegaConf.create({"data": {"path": "https://me:geheim@example.org/a"}}))
    assert "geheim" not in str(error.value)
