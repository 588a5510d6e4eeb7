"""What may befall a run between two starts, or while it goes on: it loses nothing, and can go on."""

import json
import shutil
from pathlib import Path

import pytest
from resuming import SMALL, rows, saved
from settings import config
from typed import assert_refused, type_in

from genlab.commands.train import train
from genlab.run.summary import read_summary

QUIET = (*SMALL, "callbacks.checkpoint.keep=0")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A complete run of two epochs of four batches."""
    folder = tmp_path_factory.mktemp("whole")
    result = type_in("train", *QUIET, "hydra.run.dir=run", cwd=folder)
    assert result.returncode == 0, result.stderr
    return folder / "run"


@pytest.fixture
def run(whole, tmp_path) -> Path:
    shutil.copytree(whole, tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["callbacks.checkpoint.keep=-1"], "callbacks.checkpoint.keep=-1 is not possible"),
        (["trainer.precision=7"], "precision"),
        (["data.root=nowhere"], "root"),
        (["trainer.devices=2", "trainer.strategy=ddp"], None),
    ],
    ids=["callback", "trainer", "data", "processes"],
)
def test_a_complete_run_stays_what_it_is_when_it_can_not_go_on(typed, said, run, tmp_path):
    before = {path: path.read_bytes() for path in (run / "config.yaml", run / "summary.json")}
    result = type_in("train", "resume=run", "trainer.max_epochs=3", *typed, cwd=tmp_path)
    assert result.returncode == 1
    assert said is None or said in result.stderr
    assert {path: path.read_bytes() for path in before} == before


def test_it_goes_on_when_it_can_and_says_so(run, tmp_path):
    result = type_in("train", "resume=run", "trainer.max_epochs=3", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (saved(run)["global_step"], read_summary(run)["status"]) == (12, "completed")
    assert "max_epochs: 3" in (run / "config.yaml").read_text()


def odd_byte(file: Path) -> int:
    data = bytearray(file.read_bytes())
    data[data.index(b"\n", data.index(b"\n") + 1) + 3] = 0xFF  # in the second row
    file.write_bytes(data)
    return 1


def zeroed_head(file: Path) -> int:
    data = file.read_bytes()
    file.write_bytes(bytes(40) + data[40:])
    return len(data.splitlines()) - 1


def field_too_many(file: Path) -> int:
    lines = file.read_text().splitlines()
    lines[2] += ",1.0"
    file.write_text("\n".join(lines) + "\n")
    return 1


@pytest.mark.parametrize("damage", [odd_byte, zeroed_head, field_too_many])
def test_a_damaged_record_of_metrics_loses_what_is_damaged_alone(damage, run, caplog):
    before = rows(run)
    lost = damage(run / "metrics.csv")
    damaged = (run / "metrics.csv").read_bytes()
    more = [f"resume={run}", "trainer.max_epochs=3"]
    train(config(*more), more)
    assert "metrics.csv is damaged: what can't be read is left out" in caplog.text
    assert (run / "metrics.csv.damaged").read_bytes() == damaged
    after = rows(run)
    kept = [row for row in after if int(row["step"]) < 8]
    assert len(kept) == len(before) - lost
    assert int(after[-1]["step"]) == 11


@pytest.mark.slow
def test_checkpoints_that_lie_elsewhere_are_found_where_they_are_typed(tmp_path):
    elsewhere = (*QUIET, "resume=auto", "hydra.run.dir=run", "callbacks.checkpoint.dirpath=elsewhere")
    for epochs in (1, 2):
        result = type_in("train", *elsewhere, f"trainer.max_epochs={epochs}", cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        assert ("Resumed after step 4" in result.stdout) == (epochs == 2)
    assert not (tmp_path / "run" / "checkpoints").exists()
    result = type_in("train", "resume=run", "trainer.max_epochs=3", cwd=tmp_path)  # which may come from anybody
    assert_refused(result, "resume=run holds no checkpoint: there is nothing to go on from")
    result = type_in("train", "resume=run", "trainer.max_epochs=3", elsewhere[-1], cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "Resumed after step 8" in result.stdout
    assert type_in("sample", "run=elsewhere/last.ckpt", "output=grid.png", cwd=tmp_path).returncode == 0
    another = [argument.replace("run.dir=run", "run.dir=another") for argument in elsewhere]
    result = type_in("train", *another, cwd=tmp_path)
    assert_refused(result, "callbacks.checkpoint.dirpath=elsewhere holds checkpoints of another run")


def test_a_summary_says_which_signal_has_ended_a_run(tmp_path):
    from genlab.run.folder import record_run

    for error, said in ((SystemExit(143), "SIGTERM"), (SystemExit(129), "SIGHUP"), (SystemExit(3), "SystemExit")):
        with pytest.raises(SystemExit), record_run(tmp_path):
            raise error
        summary = json.loads((tmp_path / "summary.json").read_text())
        assert (summary["status"], summary["error"]) == ("interrupted", said)
