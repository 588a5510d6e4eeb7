"""Whatever lies where `summary.json` should be, a run goes on, and a sweep says of its run what it can."""

import json

import pytest
from odd_runs import Damage, folder, link, pipe, text
from omegaconf import OmegaConf

from genlab.run.folder import record_run
from genlab.run.summary import read_outcome, read_summary
from genlab.sweeps.plan import SweepRun
from genlab.sweeps.table import read_progress

WHOLE = {"status": "completed", "seconds": 3.0, "score": {"name": "val/fd", "value": 2.0}, "overrides": ["seed=1"]}


def summary(**fields) -> Damage:
    return text("summary.json", json.dumps(WHOLE | fields))


DAMAGED: dict[str, Damage] = {
    "a pipe": pipe("summary.json"),
    "a link to nothing": link("summary.json", "nowhere"),
    "a link that leads out": link("summary.json", "/etc/passwd"),
    "an endless file": link("summary.json", "/dev/zero"),
    "nothing": text("summary.json", ""),
    "zeros": text("summary.json", bytes(100)),
    "no UTF-8": text("summary.json", b"\xff"),
    "a list": text("summary.json", "[1]"),
    "a number": text("summary.json", "1"),
    "deep nesting": text("summary.json", '{"a":' * 10**5 + "1" + "}" * 10**5),
    "a status that is a list": summary(status=["completed"]),
    "seconds that are a text": summary(seconds="long"),
    "seconds of 400 digits": summary(seconds=10**400),
    "endless seconds": summary(seconds=float("inf")),
    "a score that is a list": summary(score=[1, 2]),
    "metrics that are a list": summary(metrics=[1]),
    "starts that are a number": summary(resumed=3),
    "overrides that are a mapping": summary(overrides={"a": 1}),
    "steps that are a text": summary(steps="many"),
}
ODD: dict[str, Damage] = {
    "nothing but a status": text("summary.json", '{"status": "completed"}'),
    "a score that is a text": summary(score={"name": "val/fd", "value": "x"}),
    "a score of 400 digits": summary(score={"name": "val/fd", "value": 10**400}),
    "a score of a list's name": summary(score={"name": [1], "value": 1.0}),
    "metrics of other kinds": summary(metrics={"val/fd": [1]}),
    "a protocol that is a text": summary(metrics={"val/fd": {"value": 1, "protocol": "x"}}),
    "nothing where numbers are": summary(seconds=None, epochs=None, steps=None, metrics=None, resumed=None),
}


def used(run):
    """All that reads a summary, besides the report."""
    planned = SweepRun([], run, {"trainer": {"max_epochs": 2}}, "", OmegaConf.create(), state="running")
    assert 0 <= read_progress(planned).share <= 1
    with record_run(run, resumed=True):
        assert read_outcome(run).status == "running"
    return read_summary(run)


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_summary_begins_anew_and_the_run_goes_on(name, tmp_path, caplog):
    DAMAGED[name](tmp_path)
    assert read_outcome(tmp_path).status == "damaged"
    assert not read_outcome(tmp_path).is_final
    after = used(tmp_path)
    assert "is damaged" in caplog.text
    assert after["status"] == "completed"
    assert "started" in after


@pytest.mark.parametrize("name", ODD)
def test_an_odd_summary_is_taken_as_far_as_it_goes(name, tmp_path):
    ODD[name](tmp_path)
    assert read_outcome(tmp_path).is_final
    after = used(tmp_path)
    assert len(after["resumed"]) == 1


def test_a_folder_in_its_place_is_said_and_ends_nothing(tmp_path, caplog):
    folder("summary.json")(tmp_path)
    with record_run(tmp_path, resumed=True):
        pass
    assert "summary.json can't be written" in caplog.text


def test_an_error_of_the_disk_does_not_make_it_begin_anew(tmp_path, monkeypatch):
    summary()(tmp_path)
    monkeypatch.setattr("pathlib.Path.read_text", lambda *_, **__: (_ for _ in ()).throw(OSError(5, "Input/output")))
    with pytest.raises(OSError, match="Input/output"):
        read_summary(tmp_path)
    assert read_outcome(tmp_path).status == "damaged"


def test_what_it_says_commands_no_terminal(tmp_path):
    summary(status="failed", error="\x1b]0;owned\x07x")(tmp_path)
    assert read_outcome(tmp_path).error == "\ufffd]0;owned\ufffdx"
