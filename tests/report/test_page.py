"""The page, the table and the figures that a report leaves."""

import csv
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from report_folders import make_run
from settings import config, run_script
from typed import type_in

from genlab.errors import UsageError
from genlab.report import report, write_report
from genlab.report.find import run_folders
from genlab.report.table import read_table
from genlab.report.write import print_ranking

EVIL = "<script>alert('x')</script>"


class Page(HTMLParser):
    """What the tests want to know of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[dict[str, str]]] = []  # rows of the sortable tables
        self._columns: list[str] = []
        self.text = ""
        self.source = path.read_text()
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.tags.append((tag, known))
        if tag == "table" and known.get("class") == "sortable":
            self.tables.append([])
            self._columns = []
        elif "data-key" in known:
            self._columns.append(known["data-key"] or "")
        elif "data-value" in known:
            rows = self.tables[-1]
            if not rows or len(rows[-1]) == len(self._columns):
                rows.append({})
            rows[-1][self._columns[len(rows[-1])]] = known["data-value"] or ""

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [known for found, known in self.tags if found == tag]


def make_sweep(folder: Path) -> Path:
    """A grid of two models, two latent dimensions and two seeds on two data sets, and what may go wrong."""
    for n in range(16):
        model, latent_dim, seed, data = (
            "AE" if n % 2 else "VAE",
            4 + n // 2 % 2 * 4,
            n // 4 % 2,
            ["digits", "shapes"],
        )
        make_run(folder / f"cell_{n}", 10.0 + n, model=model, latent_dim=latent_dim, seed=seed, data=data[n // 8])
    failed = make_run(folder / "failed", None, status="failed", error=f"ValueError: {EVIL}")
    log = f"[2026-01-01 00:00:00,000][DEBUG] The run failed\nTraceback (most recent call last):\nValueError: {EVIL}\n"
    (failed / "train.log").write_text(log)
    make_run(folder / "running", None, status="running", seconds=None, training_seconds=1.5)
    (make_run(folder / "damaged") / "summary.json").write_text("{")
    (folder / "multirun.yaml").write_text("hydra: {overrides: {task: ['model=ae,vae', 'seed=0,1']}}")
    return folder


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    return make_sweep(tmp_path / "a sweep")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such a sweep with its report."""
    return make_sweep(tmp_path_factory.mktemp("reported") / "a sweep")


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    """What is in it."""
    return Page(write_report(folder))


def test_a_report_holds_every_run_and_its_files_lie_beside_it(folder, page):
    assert [len(rows) for rows in page.tables] == [8, 8, 3]
    assert len([known for known in page.all("details") if known.get("class") == "run"]) == 19
    figures = {path.name for path in (folder / "figures").glob("*.png")}
    assert {"score_against_latent_dim.png", "heat_score.png", "heat_val_loss.png", "curves.png"} <= figures
    for name in figures:
        with Image.open(folder / "figures" / name) as picture:
            assert picture.width > 300 < 2 * picture.height


def test_the_table_says_what_report_csv_says(folder, page):
    with (folder / "report.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    shown = [row for table in page.tables for row in table]
    assert [{key: row[key] for key in seen} for row, seen in zip(rows, shown, strict=True)] == shown
    left_out = [
        {key: row[key] for key in row.keys() - seen.keys() - {"group"}} for row, seen in zip(rows, shown, strict=True)
    ]
    assert not any(value for row in left_out for value in row.values())
    assert [row["score"] for row in rows[:3]] == ["10.0", "11.0", "12.0"]
    assert [row["group"] for row in rows] == ["1"] * 8 + ["2"] * 8 + [""] * 3


def test_every_link_of_the_page_leads_to_a_run_of_it(page):
    linked = {known["href"] for known in page.all("a") if (known["href"] or "").startswith("#run-")}
    assert linked == {f"#{known['id']}" for known in page.all("details") if known.get("class") == "run"}
    assert len(linked) == 19


def test_the_page_loads_nothing_from_elsewhere(page):
    loaded = [known[key] or "" for _, known in page.tags for key in ("src", "srcset", "href", "poster") if key in known]
    assert len(loaded) > 50
    assert [address for address in loaded if not address.startswith(("data:image/", "#"))] == []
    assert not re.search(r"@import|url\(|https?://", page.source)
    assert page.all("link") == page.all("iframe") == []


def test_what_comes_from_a_run_is_escaped(tmp_path):
    folder = tmp_path / "<b>sweep</b>"
    typed = {"tags": [EVIL], "note": EVIL}
    first = make_run(folder / "<i>one<i>", 1.0, config=typed, overrides=[f"note={EVIL}"], model=EVIL.replace(".", ""))
    make_run(folder / "two", 2.0, protocol={"encoder": EVIL}, error=EVIL, status="interrupted")
    make_run(folder / "three", 2.0, data=EVIL, status=EVIL, git_commit=EVIL, versions={EVIL: EVIL},
             health={"warnings": [{"message": EVIL, "epoch": EVIL}]})  # fmt: skip
    (first / "metrics.csv").write_text(f"step,val/{EVIL}\n1,2\n2,3\n")
    page = Page(write_report(folder))
    assert page.source.count("<script>") == 1  # the one that sorts
    assert page.all("i") == []
    assert len(page.all("b")) == len(page.all("figcaption"))
    assert EVIL in page.text


def test_every_heading_of_the_table_sorts_it_and_every_field_has_its_value(page):
    heads = [known for known in page.all("th") if "data-key" in known]
    assert len(heads) == len(page.all("button")) > 20
    assert 'querySelectorAll("table.sortable")' in page.source
    assert all(len(row) == len(rows[0]) for rows in page.tables for row in rows)


def test_what_went_wrong_is_told(page):
    assert "ValueError: <script>" in page.text
    assert "Traceback" not in page.text  # its head; the end is shown
    assert "summary.json can't be read" in page.text
    assert "it goes on, or it was killed" in page.text
    assert "16 completed" in page.text


@pytest.mark.slow
def test_each_run_has_the_command_that_repeats_it(sweep):
    make_run(sweep / "typed", overrides=["model=vae", "tags=[a b]", "sweep=x", "resume=auto", "hydra.run.dir=y"])
    text = Page(write_report(sweep)).text
    assert "python src/train.py model=vae 'tags=[a b]'\n" in text
    assert f"python src/report.py 'sweep={sweep}'" in text


def test_the_command_of_the_sweep_is_that_of_hydras_multirun_file(page):
    assert "python src/train.py -m model=ae,vae seed=0,1" in page.text


def test_a_sweep_without_any_score_is_reported_without_a_ranking(tmp_path):
    make_run(tmp_path / "a", None, status="running", metrics={})
    page = Page(write_report(tmp_path))
    assert [len(rows) for rows in page.tables] == [1]
    assert "nothing is ranked" in page.text


@pytest.mark.slow
def test_a_report_is_written_again_without_the_figures_of_the_one_before(sweep):
    write_report(sweep)
    (sweep / "figures" / "heat_old.png").touch()
    (sweep / "figures" / "mine.png").touch()
    write_report(sweep)
    left = {path.name for path in (sweep / "figures").iterdir()}
    assert "mine.png" in left
    assert "heat_old.png" not in left


def test_runs_of_training_are_reported_with_their_pictures_and_scores(vae_run, gan_run, tmp_path):
    page_path = report(config(f"runs=[{vae_run.path},{gan_run.path}]", f"out={tmp_path}", name="report"))
    page = Page(page_path)
    (rows,) = page.tables
    assert [row["status"] for row in rows] == ["completed", "completed"]
    best, other = sorted([vae_run.score, gan_run.score])
    assert [float(row["score"]) for row in rows] == [pytest.approx(best), pytest.approx(other)]
    assert {row["model._target_"] for row in rows} == {"VAE", "GAN"}
    assert len([known for known in page.all("img") if known.get("alt") == "reconstructions"]) == 2  # sheet and panel


def test_a_score_with_a_standard_error_is_shown_with_its_95_percent_interval(tmp_path, capsys):
    folder = tmp_path / "sweep"
    make_run(folder / "a", 182.5, seed=0, score={"name": "val/fd", "value": 182.5, "error": 5.0})
    make_run(folder / "b", 190.5, model="GAN", seed=0)
    page = write_report(folder)
    print_ranking(read_table("sweep", run_folders(folder)), page)
    assert "182.5 ± 9.8" in capsys.readouterr().out
    assert "182.5 ± 9.8" in page.read_text()
    first, second = Page(page).tables[0]
    assert (first["error"], second["error"]) == ("5.0", "")


@pytest.mark.slow
def test_a_folder_that_can_not_be_written_to_is_said(sweep, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="can't be written to"):
        write_report(sweep, tmp_path / "file")


@pytest.mark.parametrize("typed", [(), ("sweep=a", "runs=b")])
def test_either_a_sweep_or_runs_have_to_be_named(typed):
    with pytest.raises(UsageError, match="one of the two"):
        report(config(*typed, name="report"))


@pytest.mark.slow
def test_the_command_prints_the_ranking_and_the_path_and_needs_no_torch(sweep, tmp_path):
    (tmp_path / "torch.py").write_text("raise SystemExit('torch was imported')")
    named = tmp_path / "logs" / "train" / "sweeps" / "mine"
    named.parent.mkdir(parents=True)
    sweep.rename(named)
    result = run_script("report", "sweep=mine", cwd=tmp_path, PYTHONPATH=str(tmp_path), LOG_DIR="logs")
    assert result.returncode == 0, result.stderr
    assert "fd on digits, lower is better" in result.stdout
    assert "19 runs: 16 completed, 1 running, 1 failed, 1 damaged" in result.stdout
    assert result.stdout.strip().endswith("logs/train/sweeps/mine/report.html")
    assert (named / "report.html").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"torch.py", "logs"}  # no log, no run folder

    wrong = type_in("report", "sweep=minne", cwd=tmp_path, LOG_DIR="logs")
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("error: There is no sweep 'minne'. Did you mean 'mine'?")
