"""A clock that is set back or ahead while a run goes on is nothing to it but labels."""

import ast
import datetime
import json
import time

import pytest
from resuming import SMALL, copied, rows, saved
from settings import ROOT, config

from genlab.commands.train import train
from genlab.models import VAE
from genlab.run import folder

YEAR = 365 * 86400.0


@pytest.fixture
def jumps(monkeypatch):
    """The clock of the day stands a year behind or ahead, changing at every step."""
    now, offset = time.time, [0.0]

    class Jumping(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls.fromtimestamp(now() + offset[0], tz)

    step = VAE.training_step

    def jumping(self, batch, batch_idx):
        offset[0] = -YEAR if self.global_step % 2 else YEAR
        return step(self, batch, batch_idx)

    monkeypatch.setattr(time, "time", lambda: now() + offset[0])
    monkeypatch.setattr(folder, "datetime", Jumping)
    monkeypatch.setattr(VAE, "training_step", jumping)


def test_seconds_minutes_and_checkpoints_are_those_of_the_time_that_has_passed(tmp_path, jumps):
    minutes = (*SMALL, "callbacks.checkpoint.every_n_steps=null", "callbacks.checkpoint.every_minutes=60")
    start = time.monotonic()
    train(config(*minutes, "callbacks.checkpoint.every_n_epochs=2", run_dir=tmp_path / "run"))
    seconds = time.monotonic() - start
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    for key in ("seconds", "training_seconds", "evaluation_seconds"):
        assert 0 < summary[key] <= seconds, key
    assert summary["images_per_second"] > 128 / seconds
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["last.ckpt"]  # a year is no hour
    assert saved(tmp_path / "run")["global_step"] == 8


def test_the_newest_checkpoint_is_the_one_of_the_most_steps_and_is_gone_on_from(tmp_path, jumps):
    train(config(*SMALL, run_dir=tmp_path / "whole"))
    folder = tmp_path / "whole" / "checkpoints"
    steps = {path.stem: int(path.stem[5:]) for path in folder.glob("step_*.ckpt")}
    assert sorted(steps.values()) == [1, 2, 3, 4, 5, 6]
    assert saved(tmp_path / "whole")["global_step"] == 8
    run = copied(tmp_path / "whole", tmp_path / "run", 6)
    train(config(f"resume={run}", run_dir="unused"), [])
    assert [row["step"] for row in rows(run)] == [row["step"] for row in rows(tmp_path / "whole")]
    summary = json.loads((run / "summary.json").read_text())
    assert 0 < summary["seconds"] < 600


def test_nothing_in_the_source_measures_with_the_clock_of_the_day():
    """Where it is read it labels something: the start of a run, the end of a sweep, a report and its folder, the
    lecture's page, the age of pictures, and which of several caches of images whose files are gone is the newest."""
    found = []
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "time":
                assert not {name.name for name in node.names} & {"time", "localtime", "gmtime"}, path
            if isinstance(node, ast.Attribute) and node.attr in ("time", "now", "utcnow", "today", "st_mtime"):
                found.append((path.name, node.attr))
    pages = [("page.py", "now"), ("page.py", "now"), ("page.py", "st_mtime")]
    assert sorted(found) == [
        ("bill.py", "now"),
        ("folder.py", "now"),
        *pages,
        ("prepared.py", "st_mtime"),
        ("write.py", "now"),
    ]
