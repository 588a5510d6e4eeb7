"""What is printed and written, typed as people type it."""

import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from settings import ROOT, config
from typed import assert_refused, type_in

from genlab.commands.sample import sample

QUICK = ("debug=fast", "data.limit=48", "data.batch_size=16", "callbacks.frechet.n_samples=16", "trainer=cpu")
BARE = ("data.limit=48", "data.batch_size=16", "trainer.max_epochs=1", "trainer=cpu", "callbacks=none")
BAR = ("data.limit=48", "data.batch_size=16", "trainer.max_epochs=1", "trainer=cpu", "callbacks=progress")


def images(folder):
    folder.mkdir(parents=True)
    for number in range(12):
        Image.fromarray(np.full((16, 16), 20 * number, np.uint8)).save(folder / f"{number}.png")


def test_labels_with_brackets_are_printed_as_they_are(tmp_path):
    for label in ("[cats]", "[red]", ":dog:", "[/b]"):
        images(tmp_path / "photos" / label.replace("/", ""))
    result = type_in("prepare", "data=folder", "data.size=8", "data.root=photos", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "4: :dog:, [b], [cats], [red]" in " ".join(result.stdout.split())


@pytest.mark.slow
def test_a_folder_with_brackets_in_its_name_is_evaluated_and_shown(tmp_path):
    folder = tmp_path / "[bold] [/x]"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for number in range(20):
        Image.fromarray(generator.integers(0, 256, (28, 28), np.uint8)).save(folder / f"{number}.png")
    typed = ["data=digits", "data.limit=48", "metrics=quick", "trainer=cpu"]
    result = type_in("eval", f"images={folder}", *typed, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert f"1: images, {folder}" in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        pytest.param({"PYTHONIOENCODING": "cp1252"}, marks=pytest.mark.rare),
        pytest.param(
            {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, marks=pytest.mark.rare
        ),
    ],
    ids=str,
)
def test_no_encoding_of_the_console_ends_a_run(environment, tmp_path):
    command = [sys.executable, str(ROOT / "src/train.py"), *BAR, "hydra.run.dir=Käse"]
    result = subprocess.run(
        command, cwd=tmp_path, env=os.environ | environment, capture_output=True, timeout=200, check=False
    )
    assert result.returncode == 0, result.stderr
    assert b"UnicodeEncodeError" not in result.stdout + result.stderr
    (run,) = (path for path in tmp_path.iterdir() if path.name.startswith("K"))
    for name in ("train.log", "config.yaml", "summary.json"):
        assert (run / name).read_text("utf-8")


@pytest.mark.rare
def test_a_console_that_is_gone_ends_no_run(tmp_path):
    command = shlex.join([sys.executable, str(ROOT / "src/train.py"), *BAR])
    for redirection, run in (("| head -n 1", "piped"), (">&- 2>&-", "closed"), ("> /dev/full", "full")):
        line = f"{command} hydra.run.dir={run} {redirection}"
        subprocess.run(["bash", "-c", line], cwd=tmp_path, timeout=200, capture_output=True, check=False)
        assert '"completed"' in (tmp_path / run / "summary.json").read_text()


def test_a_file_name_that_is_no_unicode_is_printed_and_written(tmp_path):
    images(tmp_path / "photos" / os.fsdecode(b"caf\xe9"))
    result = type_in("prepare", "data=folder", "data.size=8", "data.root=photos", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    nowhere = "data.root=" + os.fsdecode(b"caf\xe9")
    assert_refused(type_in("prepare", "data=folder", "data.size=8", nowhere, cwd=tmp_path), "does not exist")


def test_a_colour_is_typed_as_the_message_prints_it(tmp_path):
    images(tmp_path / "photos")
    typed = ["data=folder", "data.size=8", "data.root=photos"]
    result = type_in("prepare", *typed, "data.background=orangish", cwd=tmp_path)
    assert_refused(result, "data.background=orangish is no colour")
    printed = re.search(r"or ('data\.background=.*')\.$", result.stderr.strip())[1]
    assert type_in("prepare", *typed, *shlex.split(printed), cwd=tmp_path).returncode == 0
    assert type_in("prepare", *typed, *shlex.split("data.background='#ff8000'"), cwd=tmp_path).returncode == 0


@pytest.mark.slow
def test_a_run_is_resumed_as_the_message_prints_it(tmp_path):
    folder = tmp_path / "a=b, it's (1)"
    typed = [*BARE, "callbacks=checkpoint", f"hydra.run.dir={folder}"]
    assert type_in("train", *typed, cwd=tmp_path).returncode == 0
    result = type_in("train", *typed, cwd=tmp_path)
    assert_refused(result, "already holds a run")
    printed = re.search(r"go on with it by (.*), or remove it", result.stderr)[1]
    result = type_in("train", *shlex.split(printed), "trainer.max_epochs=2", cwd=tmp_path)
    assert result.returncode == 0, result.stderr


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    typed = [*BARE, "callbacks=checkpoint", "hydra.run.dir=run"]
    assert type_in("train", *typed, cwd=folder).returncode == 0
    return folder / "run"


@pytest.mark.parametrize(
    ("output", "made", "kind"),
    [
        ("x.png", "x.png", "PNG"),
        ("x.jpg", "x.jpg", "JPEG"),
        ("new/deep/x.JPEG", "new/deep/x.JPEG", "JPEG"),
        ("x.webp", "x.webp", "WEBP"),
        ("there", "there/grid.png", "PNG"),
        ("new/", "new/grid.png", "PNG"),
        ("plain", "plain.png", "PNG"),
    ],
)
def test_a_picture_is_written_where_and_as_what_is_typed(output, made, kind, run, tmp_path, monkeypatch, capsys):
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    sample(config(f"run={run}", f"output={output}", name="sample"))
    assert capsys.readouterr().out.strip().endswith(made)
    with Image.open(tmp_path / made) as picture:
        assert picture.format == kind


def test_a_picture_of_no_known_format_or_in_an_impossible_place_is_refused(run, tmp_path):
    result = type_in("sample", f"run={run}", "output=x.xyz", cwd=tmp_path)
    assert_refused(result, "output=x.xyz", "'.xyz'", ".jpg", ".png")
    (tmp_path / "file").write_text("")
    for script, typed in (("sample", [f"run={run}"]), ("prepare", ["data=digits"])):
        result = type_in(script, *typed, "output=file/x.png", cwd=tmp_path)
        assert_refused(result, "file/x.png can't be written", "output=PATH")
    result = type_in("report", f"runs={run}", "out=file", cwd=tmp_path)
    assert_refused(result, "can't be written to file", "out=PATH")


@pytest.mark.slow
def test_a_score_has_its_protocol_once(tmp_path):
    result = type_in("train", *QUICK, "trainer.max_epochs=3", "callbacks.frechet.every_n_epochs=1", cwd=tmp_path)
    scores = [line for line in result.stdout.splitlines() if "val/fd_efficientnet_lite0 = " in line]
    assert ["samples against" in line for line in scores] == [True, False, False]


@pytest.mark.slow
@pytest.mark.parametrize("columns", [80, 120])
def test_the_progress_bar_takes_one_line(columns, tmp_path):
    typed = [*BAR, "model=vaegan", "trainer.max_epochs=12"]
    result = type_in("train", *typed, cwd=tmp_path, COLUMNS=str(columns), FORCE_COLOR="1", TERM="xterm")
    assert result.returncode == 0, result.stderr
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", result.stdout)
    bars = [line for line in re.split(r"[\r\n]+", plain) if line.startswith("Epoch ")]
    assert bars
    assert all(len(bar) <= columns for bar in bars)
    assert any("images/s: " in bar for bar in bars)
    rows = [line for line in re.split(r"[\r\n]+", plain) if line.strip().startswith(("score:", "images/s:"))]
    assert rows == []
