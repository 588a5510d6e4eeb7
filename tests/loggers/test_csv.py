"""The record of truth."""

import csv

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
