"""The record of truth."""

import csv
import os
import subprocess
import sys

import pytest
from settings import ROOT

from genlab.loggers import CSVLogger


def read(path):
    with (path / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_is_on_disk_as_soon_as_it_is_logged(tmp_path):
    CSVLogger(str(tmp_path)).log_metrics({"train/loss": 0.5, "epoch": 0.0}, step=9)
    assert read(tmp_path) == [{"step": "9", "train/loss": "0.5", "epoch": "0"}]


def test_a_new_metric_widens_the_file_and_loses_nothing(tmp_path):
    logger = CSVLogger(str(tmp_path))
    logger.log_metrics({"train/loss": 0.5}, step=0)
    logger.log_metrics({"val/fid": 3.0}, step=1)
    logger.log_metrics({"train/loss": 0.25}, step=2)
    assert read(tmp_path) == [
        {"step": "0", "train/loss": "0.5", "val/fid": ""},
        {"step": "1", "train/loss": "", "val/fid": "3.0"},
        {"step": "2", "train/loss": "0.25", "val/fid": ""},
    ]


def test_a_second_logger_goes_on_in_the_same_file(tmp_path):
    CSVLogger(str(tmp_path)).log_metrics({"train/loss": 0.5}, step=0)
    CSVLogger(str(tmp_path)).log_metrics({"train/loss": 0.4}, step=1)
    assert [row["step"] for row in read(tmp_path)] == ["0", "1"]


FILLING = """
import resource, sys
from genlab.loggers import CSVLogger
def room(n):
    resource.setrlimit(resource.RLIMIT_FSIZE, (n, resource.RLIM_INFINITY))
logger = CSVLogger(sys.argv[1])
logger.log_metrics({"a": 1.0}, step=0)
size = logger.path.stat().st_size
room(size + 3)  # half a row
logger.log_metrics({"a": 2.0}, step=1)
assert logger.path.stat().st_size == size, "half a row stays"
logger.log_metrics({"a": 3.0, "b": 3.0}, step=2)
logger.finalize("success")  # the whole file under a wider header
assert logger.path.stat().st_size == size
assert sorted(path.name for path in logger.path.parent.iterdir()) == ["metrics.csv"]
room(resource.RLIM_INFINITY)
if sys.argv[2] == "next row":
    logger.log_metrics({"a": 4.0}, step=3)
logger.finalize("success")
assert logger.n_rows == 4 if sys.argv[2] == "next row" else 3
"""


def filled(folder, how):
    command = [sys.executable, "-c", FILLING, str(folder), how]
    subprocess.run(command, check=True, timeout=100, env=os.environ | {"PYTHONPATH": str(ROOT / "src")})
    return [row["step"] for row in read(folder)], [row["b"] for row in read(folder)]


@pytest.mark.slow
def test_rows_that_the_disk_refuses_are_written_later_in_their_order_and_no_half_row_stays(tmp_path):
    (tmp_path / "next").mkdir()
    assert filled(tmp_path / "next", "next row") == (["0", "1", "2", "3"], ["", "", "3.0", ""])
    (tmp_path / "end").mkdir()
    assert filled(tmp_path / "end", "at the end") == (["0", "1", "2"], ["", "", "3.0"])


def test_a_file_that_somebody_has_deleted_begins_again_with_a_header(tmp_path):
    logger = CSVLogger(str(tmp_path))
    logger.log_metrics({"a": 1.0}, step=0)
    logger.path.unlink()
    logger.log_metrics({"a": 2.0}, step=1)
    assert read(tmp_path) == [{"step": "1", "a": "2.0"}]
