"""Folders of any content: what can't be read is listed with its reason, the rest is reported, and nothing leaks."""

import csv
import warnings
from pathlib import Path

import pytest
from odd_runs import NAMES, READABLE, UNREADABLE
from PIL import Image
from report_folders import make_run
from settings import config

from genlab.report import report, write_report
from genlab.report.page import render
from genlab.report.table import read_table


def odd_sweep(home: Path, damage):
    """A good run beside one that is damaged; what is not theirs lies in the same folder."""
    good, run = make_run(home / "good", 1.0, latent_dim=4), make_run(home / "odd", 3.0, latent_dim=16)
    (home / "mine").write_text("mine: 'Traceback (most recent call last): not for others'")
    Image.new("L", (50, 14), 255).save(home / "mine.png")
    damage(run)
    return read_table("sweep", [good, run], home)


@pytest.mark.parametrize("name", READABLE)
def test_an_odd_run_is_reported_beside_a_good_one(name, tmp_path):
    table = odd_sweep(tmp_path, READABLE[name])
    page = render(table, [], "again", tmp_path)
    assert {run.name for run in table.runs if not run.damage} == {"good", "odd"}
    assert table.groups[0].rows["run"].iloc[0] == "good"
    assert list(table.frame["run"]) == [run.name for run in table.runs]
    assert "not for others" not in page
    assert "\x1b" not in page


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_damaged_run_is_listed_with_its_reason_beside_a_good_one(name, tmp_path):
    damage, reason = UNREADABLE[name]
    table = odd_sweep(tmp_path, damage)
    assert [group.rows["run"].tolist() for group in table.groups] == [["good"]]
    damaged = table.runs[1]
    assert damaged.status == "damaged"
    assert any(why.startswith(reason) for why in damaged.damage)
    page = render(table, [], "again", tmp_path)
    assert reason.partition("'")[0] in page
    assert "not for others" not in page


@pytest.mark.slow
def test_all_odd_runs_stand_in_one_report_with_its_figures(tmp_path, capsys):
    for n, damage in enumerate([*READABLE.values(), *(damage for damage, _ in UNREADABLE.values())]):
        damage(make_run(tmp_path / f"odd{n}", 2.0 + n, latent_dim=16))
    names = [make_run(tmp_path / name, 1.0, latent_dim=4) for name in NAMES]
    make_run(tmp_path / "good", 0.5, latent_dim=8)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # matplotlib's has no Japanese
        page = report(config(f"sweep={tmp_path}", name="report"))
    html, table = page.read_text(encoding="utf-8"), (tmp_path / "report.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(table.splitlines(keepends=True)))
    assert len(rows) == len(READABLE) + len(UNREADABLE) + len(names) + 1
    assert min(rows, key=lambda row: float(row["score"] or "inf"))["run"] == "good"
    assert list((tmp_path / "figures").glob("score_against_*.png"))
    assert "\x1b" not in html + table + capsys.readouterr().out
    assert "<script>alert" not in html


def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe_and_a_negative_number_does_not(tmp_path):
    make_run(tmp_path / "=cmd", 1.0, metrics={"val/loss": {"value": -2.5}})
    write_report(tmp_path)
    (row,) = csv.DictReader((tmp_path / "report.csv").read_text().splitlines())
    assert row["run"] == "'=cmd"
    assert row["val/loss"] == "-2.5"
