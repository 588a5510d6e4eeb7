"""A run goes on with the images that it was started with, or not at all."""

import os
import shutil
from pathlib import Path

import pytest
from photos import put_photos
from PIL import Image
from resuming import saved
from typed import assert_refused, type_in

from genlab.run.checkpoint import read_checkpoint, write_checkpoint
from genlab.run.summary import read_summary

FEW = (
    "data=folder", "data.size=16", "data.batch_size=8", "trainer=cpu", "trainer.max_epochs=1",
    "callbacks=without_encoder", *(f"~callbacks.{name}" for name in ("frechet", "samples", "curves", "progress")),
)  # fmt: skip


def started(folder: Path, *typed: str) -> Path:
    """A run of one epoch on photographs beside it."""
    photos = put_photos(folder / "photos")
    result = type_in("train", *FEW, *typed, f"data.root={photos}", "hydra.run.dir=run", cwd=folder)
    assert result.returncode == 0, result.stderr
    return folder / "run"


def add_one(folder: Path) -> None:
    Image.new("RGB", (30, 24), "red").save(folder / "photos" / "new.png")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return started(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def run(whole, tmp_path) -> Path:
    """The run and its photographs, with the times of the files, which only a copy of another kind loses."""
    shutil.copytree(whole.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


@pytest.mark.slow
@pytest.mark.parametrize(
    "going_on",
    [("resume=run", "trainer.max_epochs=2"), ("resume=auto", "hydra.run.dir=run", *FEW, "trainer.max_epochs=2")],
    ids=["resume=RUN", "resume=auto"],
)
def test_images_that_were_added_end_a_resumed_run_before_it_trains(going_on, run, tmp_path):
    root = f"data.root={tmp_path / 'photos'}"
    add_one(tmp_path)
    result = type_in("train", *going_on, root, cwd=tmp_path)
    assert_refused(result, "have changed since this run was started: train (51 then, 52 now)", "without resume")
    assert saved(run)["epoch"] == 0
    (tmp_path / "photos" / "new.png").unlink()
    again = type_in("train", *going_on, root, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert read_summary(run)["status"] == "completed"
    assert saved(run)["epoch"] == 1


def test_an_image_that_is_another_one_is_said_with_its_split(run, tmp_path):
    Image.new("RGB", (30, 24), "red").save(tmp_path / "photos" / "00.png")
    result = type_in("train", "resume=run", "trainer.max_epochs=2", f"data.root={tmp_path / 'photos'}", cwd=tmp_path)
    assert_refused(result, "have changed since this run was started: ", " now). Put them back")


@pytest.mark.parametrize("automatic", [False, True])
def test_an_equal_copy_elsewhere_is_gone_on_with(automatic, run, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    for photo in (tmp_path / "photos").iterdir():
        shutil.copyfile(photo, tmp_path / "elsewhere" / photo.name)  # with the time of now
    shutil.rmtree(tmp_path / "photos")
    resume = ("resume=auto", "hydra.run.dir=run", *FEW) if automatic else ("resume=run",)
    result = type_in("train", *resume, "trainer.max_epochs=2", "data.root=elsewhere", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert saved(run)["epoch"] == 1
    assert saved(run)["config"]["data"]["name"].endswith("photos")  # part of each score's protocol


def test_a_checkpoint_that_knows_no_images_is_gone_on_with(run, tmp_path):
    file = run / "checkpoints" / "last.ckpt"
    checkpoint = read_checkpoint(file)
    assert checkpoint.pop("ImageDataModule").keys() == {"train", "val", "test"}
    write_checkpoint(checkpoint, file)
    add_one(tmp_path)
    result = type_in("train", "resume=run", "trainer.max_epochs=2", f"data.root={tmp_path / 'photos'}", cwd=tmp_path)
    assert result.returncode == 0, result.stderr


def test_a_sample_of_a_run_is_drawn_whatever_has_become_of_its_images(run, tmp_path):
    shutil.rmtree(tmp_path / "photos")
    assert type_in("sample", "run=run", "output=a.png", cwd=tmp_path).returncode == 0


@pytest.mark.rare
def test_two_processes_are_refused_with_one_sentence(tmp_path):
    photos = put_photos(tmp_path / "photos")
    here = (f"data.root={photos}", "hydra.run.dir=run")
    few = {"cwd": tmp_path, "OMP_NUM_THREADS": "1"}
    result = type_in("train", *FEW, "trainer=ddp_cpu", *here, **few)
    assert result.returncode == 0, result.stderr
    os.utime(photos / "00.png")  # it is decoded anew, and the same
    more = ("resume=run", "trainer.max_epochs=2")
    assert type_in("train", *more, **few).returncode == 0
    add_one(tmp_path)
    assert_refused(type_in("train", "resume=run", "trainer.max_epochs=3", **few), "have changed since this run")
