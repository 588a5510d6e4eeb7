"""Paths that people type, and the names that are made of what they type."""

import os
import re

import numpy as np
import pytest
from PIL import Image
from typed import assert_refused, type_in

LONG = "日本語" * 20  # 60 letters, 180 bytes
QUICK = ("debug=fast", "data.limit=48", "data.batch_size=16", "callbacks.frechet.n_samples=16", "trainer=cpu")
BARE = ("data.limit=48", "data.batch_size=16", "trainer.max_epochs=1", "trainer=cpu", "callbacks=none")


@pytest.fixture
def home(tmp_path):
    """A home whose name Hydra's grammar refuses."""
    path = tmp_path / "Käthe & co (home)"
    path.mkdir()
    return path


def images(folder):
    folder.mkdir(parents=True)
    for number in range(12):
        Image.fromarray(np.full((16, 16), 20 * number, np.uint8)).save(folder / f"{number}.png")
    return folder


def below(folder):
    """Files below a folder, by their names."""
    return {path.name for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_home_is_expanded_wherever_a_path_is_typed(home, tmp_path):
    images(home / "photos")
    typed = ["data=folder", "data.size=8", "data.root=~/photos", "paths.data_dir=~/data", "output=~/sheet.png"]
    result = type_in("prepare", *typed, "hydra.run.dir=~/run", cwd=tmp_path, HOME=str(home))
    assert result.returncode == 0, result.stderr
    assert {path.name for path in home.iterdir()} == {"photos", "data", "sheet.png", "run"}
    assert not (tmp_path / "~").exists()
    result = type_in("train", *BARE, 'hydra.run.dir="~/runs/x"', cwd=tmp_path, HOME=str(home))
    assert result.returncode == 0, result.stderr
    assert (home / "runs/x/summary.json").is_file()
    for key in ("resume", "run", "runs", "images"):
        script = {"resume": "train", "run": "sample", "runs": "report", "images": "eval"}[key]
        result = type_in(script, f"{key}=~/nothing", cwd=tmp_path, HOME=str(home))
        assert_refused(result, f"{key}={home}/nothing")


@pytest.mark.slow
@pytest.mark.parametrize("value", ["", " "])
def test_an_empty_variable_counts_as_unset_and_a_home_in_it_is_expanded(value, home, tmp_path):
    environment = {"DATA_DIR": value, "LOG_DIR": "~/logs", "WANDB_PROJECT": "", "HOME": str(home)}
    result = type_in("train", *QUICK, "logger=wandb", cwd=tmp_path, WANDB_MODE="disabled", **environment)
    assert result.returncode == 0, result.stderr
    assert list((tmp_path / "data/statistics").glob("*.npz"))
    (config,) = (home / "logs/train/runs").glob("*/config.yaml")
    assert "project: ${oc.env:WANDB_PROJECT,genlab}" in config.read_text()


def test_a_path_that_is_typed_empty_counts_as_not_typed(tmp_path):
    typed = ["data.root=", "paths.data_dir=", "paths.log_dir=", "hydra.run.dir=", "output=", "data.cache_dir="]
    result = type_in("prepare", *typed, "data=digits", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
    assert_refused(type_in("prepare", "data=folder", "data.root=", cwd=tmp_path), "data.root is missing")
    assert_refused(type_in("sample", "run=", cwd=tmp_path), "run is missing")


@pytest.mark.parametrize("name", ["a=b", "a, b", "it's", "1e5", "[cats]", "Käse & Brot (2)", "#1", "{x}", 'say "x"'])
def test_a_folder_of_any_name_is_typed_as_it_is(name, tmp_path):
    images(tmp_path / name)
    result = type_in("prepare", "data=folder", "data.size=8", f"data.root={name}", "data.val_share=0.3", cwd=tmp_path)
    assert result.returncode == 0, result.stderr


def test_a_value_that_is_no_path_and_that_hydra_refuses_is_a_text_unless_it_has_brackets_or_quotes(tmp_path):
    images(tmp_path / "photos")
    typed = ["data=folder", "data.size=8", "data.root=photos"]
    assert type_in("prepare", *typed, "data.background=#ff8000", cwd=tmp_path).returncode == 0
    for value in ("[#ff8000", "'white", "=white"):
        result = type_in("prepare", *typed, f"data.background={value}", cwd=tmp_path)
        assert_refused(result, f"data.background={value}", "can't be read", "type ")
        assert "Lexer" not in result.stderr


@pytest.mark.slow
def test_a_sweep_over_long_names_of_any_script_has_folders_of_at_most_143_bytes(tmp_path):
    for end in ("eins", "zwei"):
        images(tmp_path / LONG / end)
    typed = ["data=folder", "data.size=8", f"data.root={tmp_path}/{LONG}/eins,{tmp_path}/{LONG}/zwei"]
    result = type_in("prepare", "-m", *typed, "hydra.sweep.dir=sweep", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    names = [path.name for path in (tmp_path / "sweep").iterdir() if path.is_dir()]
    assert len(names) == 2
    for name in names:
        assert re.fullmatch(r"data\.root-\S+\.\.\S+(eins|zwei)_[0-9a-f]{8}", name), name
        assert len(os.fsencode(name)) <= 143


def test_the_longest_name_that_a_folder_of_images_may_have_fits_its_prepared_images(tmp_path):
    name = "語" * 85  # 255 bytes
    images(tmp_path / name)
    result = type_in("prepare", "data=folder", "data.size=8", f"data.root={name}", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert all(len(os.fsencode(path.name)) <= 143 for path in (tmp_path / "data/prepared").iterdir())


@pytest.mark.slow
def test_runs_are_named_by_what_differs_and_known_by_their_hash(tmp_path):
    common = ["-m", "sweep=s", *BARE, "preflight=skip"]
    assert type_in("train", *common, "model=ae,vae", cwd=tmp_path).returncode == 0
    folder = tmp_path / "logs/train/sweeps/s"
    first = sorted(path.name for path in folder.glob("*_*") if path.is_dir())
    assert [name.rpartition("_")[0] for name in first] == ["model-ae", "model-vae"]
    old = f"model-vae_trainer-cpu_trainer.max_epochs-1_{first[1][-8:]}"  # as it was called once
    (folder / first[1]).rename(folder / old)
    result = type_in("train", *common, "model=ae,vae", "seed=0,1", cwd=tmp_path)
    assert "4 run(s)" in result.stdout
    assert "2 complete, 2 new" in result.stdout
    assert "completed    model=vae seed=1 (" in result.stdout
    new = sorted(path.name for path in folder.glob("*_*") if path.is_dir() and path.name not in (first[0], old))
    assert [name.rpartition("_")[0] for name in new] == ["model-ae_seed-1", "model-vae_seed-1"]


@pytest.mark.slow
def test_a_sweeps_folders_may_be_named_by_their_numbers(tmp_path):
    common = ["-m", "sweep=s", *BARE, "preflight=skip", "hydra.sweep.subdir=${hydra.job.num}"]
    result = type_in("train", *common, "model=ae,vae", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert {path.parent.name for path in tmp_path.rglob("summary.json")} == {"0", "1"}
