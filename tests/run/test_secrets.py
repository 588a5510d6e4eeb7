"""What is secret never leaves the environment: every byte that a run writes is looked at."""

import subprocess
import zipfile
from pathlib import Path

import pytest
import yaml
from photos import put_photos
from settings import ROOT, TINY, run_script
from typed import type_in

from genlab.run.checkpoint import read_checkpoint

SECRET, KEY, TOKEN = "correct-horse;battery", "0123456789abcdef" * 3, "a-token-of-the-shell"
HIDDEN, OPEN = "no-secret-by-its-name", "wonderland-in-june"
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
    lines = [f"MY_SECRET='{SECRET}'", f"WANDB_API_KEY={KEY}", "WANDB_PROJECT=lecture-project", f"HIDDEN={HIDDEN}"]
    (tmp_path / ".env").write_text("\n".join(lines))
    for command in (
        ["init", "-q"],
        ["remote", "add", "origin", f"https://{SECRET}:x@example.org/{OPEN}.git"],
        ["-c", "user.name=a", "-c", "user.email=b", "commit", "-q", "--allow-empty", "-m", "first"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.slow
def test_a_complete_run_holds_no_secret_and_all_that_is_none(home):
    result = type_in(
        "train",
        *FEW,
        *ways(SECRET, "typed"),  # the value itself
        *ways("${oc.env:MY_SECRET}", "read"),
        *ways("${oc.env:MY_TOKEN}", "named"),  # not in .env
        *ways("${oc.env:HIDDEN}", "plain"),  # no secret by its name, and not resolved either
        *(argument.replace("someone:", "someone.") for argument in ways(OPEN, "open")),
        f"tags=['{SECRET}',{OPEN}]",
        "logger=[wandb,tensorboard]",
        f"logger.wandb.name='{SECRET} {OPEN}'",
        "logger.wandb.offline=true",
        cwd=home,
        HOME=str(home),
        MY_TOKEN=TOKEN,
    )
    assert result.returncode == 0, result.stderr
    for secret in (SECRET, KEY, TOKEN, "correct-horse", HIDDEN):
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
    config = yaml.safe_load((home / "run" / "config.yaml").read_text())
    assert config["logger"]["wandb"]["project"] == "${oc.env:WANDB_PROJECT,genlab}"
    assert config["plain_list"] == ["a", "${oc.env:HIDDEN}"]
    # The whole command line and the repository are in W&B's file, so the search above would have met secrets there.
    for recorded in (
        b"+open_note=",
        b"+typed_note=${oc.env:MY_SECRET}",
        b"lecture-project",
        f"@example.org/{OPEN}.git".encode(),
    ):
        assert recorded in offline.read_bytes()


OF_OTHERS = [pytest.param(launcher, marks=pytest.mark.rare) for launcher in ("joblib", "submitit_local")]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["local", "basic", *OF_OTHERS])
def test_no_launcher_writes_a_secret_or_resolves_what_is_read_from_the_environment(launcher, home):
    result = (run_script if launcher in ("joblib", "submitit_local") else type_in)(
        "train",
        *("-m", f"hydra/launcher={launcher}", "sweep=mine", "preflight=skip", "logger=tensorboard"),
        *(argument for argument in FEW if not argument.startswith("hydra.")),
        *("+typed_note=" + KEY, *ways("${oc.env:MY_TOKEN}", "named"), *ways("${oc.env:HIDDEN}", "plain")),
        *("+mixed='${oc.env:HIDDEN} in ${data.size} ${oc.env:MY_SECRET}'", "+again=${mixed}", f"+open={OPEN}"),
        "hydra.help.footer='${oc.env:HIDDEN}, of Hydra'",
        "callbacks.frechet.reference=val,'${oc.env:MY_TOKEN}'",  # there is no such split, says the error
        cwd=home,
        MY_TOKEN=TOKEN,
        PYTHONPATH=str(ROOT / "src"),  # submitit's job does not start from our script
    )
    assert result.returncode == 1, result.stderr
    for secret in (SECRET, KEY, TOKEN, "correct-horse", HIDDEN):
        assert holding(home / "logs", secret) == set()
        assert secret not in result.stdout + result.stderr
    folders = {path.parent for path in home.glob("logs/train/sweeps/mine/*/summary.json")}
    (good,) = (folder for folder in folders if (folder / "checkpoints").is_dir())
    (failed,) = folders - {good}
    assert "${oc.env:MY_TOKEN}" in yaml.safe_load((failed / "summary.json").read_text())["error"]
    config = yaml.safe_load((good / "config.yaml").read_text())
    assert config == read_checkpoint(good / "checkpoints" / "last.ckpt")["config"]
    assert config["typed_note"] == "${oc.env:WANDB_API_KEY}"
    assert config["mixed"] == "${oc.env:HIDDEN} in ${data.size} ${oc.env:MY_SECRET}"
    assert config["named_list"] == ["a", "${oc.env:MY_TOKEN}"]
    found = holding(home / "logs", OPEN)
    assert found >= {"config.yaml", "summary.json", "last.ckpt", "hparams.yaml", "report.html"}
    if launcher == "submitit_local":  # so the search above would have met secrets in its pickles
        assert {name.rpartition("_")[2] for name in found if name.endswith(".pkl")} == {"submitted.pkl", "result.pkl"}


def fail(home: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Have a run fail with the value of a variable in its error, which is printed and warned of before."""
    typed = (name, *FEW, "logger=[wandb,tensorboard]")
    script = ROOT / "tests" / "leaky_train.py"
    return type_in(script, *typed, cwd=home, HOME=str(home), WANDB_MODE="offline", PLAIN=OPEN)


@pytest.mark.slow
def test_a_run_that_fails_with_a_secret_on_its_lips_keeps_it(home):
    result = fail(home, "MY_SECRET")
    assert result.returncode == 1
    assert holding(home / "run", SECRET) == set()
    assert SECRET not in result.stdout + result.stderr
    for place in (result.stderr, *((home / "run" / name).read_text() for name in ("train.log", "summary.json"))):
        assert "RuntimeError: failed with ${oc.env:MY_SECRET}" in place
    assert "printed ${oc.env:MY_SECRET}" in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("name", "value"), [("PLAIN", OPEN), ("HIDDEN", HIDDEN)])
def test_what_is_no_secret_is_found_where_a_failing_run_has_put_it(name, value, home):
    result = fail(home, name)
    assert result.returncode == 1
    assert holding(home / "run", value) >= {"train.log", "summary.json", "output.log"}
    assert f"printed {value}" in result.stdout
    assert f"RuntimeError: failed with {value}" in result.stderr


@pytest.mark.slow
def test_a_wrong_input_that_holds_a_secret_is_answered_without_it(home):
    result = type_in("train", "data=folder", f"data.root='/nowhere/{SECRET}'", "hydra.run.dir=run", cwd=home)
    assert result.stderr.strip().startswith("error: data.root=/nowhere/${oc.env:MY_SECRET} does not exist")
    assert holding(home / "run", SECRET) == set()


def test_a_file_that_can_not_be_read_is_named_without_the_secret_in_its_path(home):
    photos = put_photos(home / "behind-the-curtain")
    (photos / "broken.png").write_text("no image")
    data = (
        "data=folder",
        "data.root=${oc.env:SECRET_FACES}",
        "data.name=photos",
        "data.size=16",
        "data.max_rejects=0.1",
    )
    result = type_in("prepare", *data, cwd=home, SECRET_FACES=str(photos))
    assert result.returncode == 0, result.stderr
    assert "broken.png" in result.stdout
    assert holding(home / "data", "broken.png") == {"manifest.json"}
    assert holding(home / "data", str(photos)) == set()
    assert str(photos) not in (result.stdout + result.stderr).replace("\n", "")
