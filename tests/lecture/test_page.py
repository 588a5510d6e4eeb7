"""The command and its page: which claims, which trainings, and what is written."""

import json
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra import compose, initialize_config_dir
from settings import CONFIGS, config, options

from genlab.commands import lecture
from genlab.config.build import build, check_config
from genlab.errors import UsageError
from genlab.lecture import Claim, Runs, Toeplitz
from genlab.lecture.page import Section, render, write_page
from genlab.report import style
from genlab.run.identity import fingerprint

NAMES = list(config(name="lecture").claims)


def forbidden(*arguments, **options):
    raise AssertionError("a process was started")


@pytest.fixture
def section():
    with style.house_style():
        evidence = Toeplitz().measure(None)
        return Section("toeplitz", Toeplitz(), evidence, style.png(evidence.figure))


def test_every_claim_of_the_configuration_is_one():
    cfg = config(name="lecture")
    check_config(cfg)
    claims = lecture._chosen(cfg)
    assert list(claims) == NAMES
    assert len(NAMES) == 11
    for claim in claims.values():
        assert isinstance(claim, Claim)
        assert claim.title
        assert claim.sentence
        assert claim.experiment


def test_claims_are_chosen_in_the_order_of_the_page():
    assert list(lecture._chosen(config("only=[game,toeplitz]", name="lecture"))) == ["toeplitz", "game"]
    assert list(lecture._chosen(config("only=elbo", name="lecture"))) == ["elbo"]


def test_an_unknown_claim_is_answered_with_the_valid_ones():
    with pytest.raises(UsageError, match="no claim of the lecture 'gmae'") as error:
        lecture._chosen(config("only=[toeplitz,gmae]", name="lecture"))
    assert all(name in str(error.value) for name in NAMES)


def test_every_training_of_a_claim_names_an_experiment_that_builds():
    named = set()
    for claim in lecture._chosen(config(name="lecture")).values():
        for sweep in claim.sweeps:
            named |= {run[0].removeprefix("experiment=lecture/") for run in lecture.expand(sweep.split())}
    assert named == set(options("experiment/lecture"))
    for name in named:
        cfg = config(f"experiment=lecture/{name}")
        assert build(cfg.model).image_shape == build(cfg.data).image_shape


def test_models_that_are_compared_have_the_same_decoder_and_data():
    cfgs = {name: config(f"experiment=lecture/{name}") for name in ("ae", "aegan", "aae", "gan", "vae", "vaegan")}
    models = {name: build(cfg.model) for name, cfg in cfgs.items()}
    decoders = {str(getattr(model, "generator", None) or model.decoder) for model in models.values()}
    assert len(decoders) == 1
    sizes = {name: cfg.data.pop("batch_size") for name, cfg in cfgs.items()}
    assert len({str(cfg.data) for cfg in cfgs.values()}) == 1
    assert sizes["ae"] == sizes["aegan"] == sizes["aae"]
    assert sizes["vae"] == sizes["vaegan"]
    stds = {cfg.model.get("decoder", cfg.model.get("generator")).init_std for cfg in cfgs.values()}
    assert stds == {0.02}


def test_a_grid_is_expanded_to_what_is_typed_for_each_run():
    runs = lecture.expand(["experiment=lecture/ae,lecture/vae", "seed=0,1", "model.beta=2"])
    assert runs[1] == ("experiment=lecture/ae", "seed=1", "model.beta=2")
    assert len(runs) == 4


def test_runs_that_are_complete_are_not_trained_again(tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", forbidden)
    paths = SimpleNamespace(log_dir=str(tmp_path))
    folder = tmp_path / "train/sweeps/lecture/any_name"
    folder.mkdir(parents=True)
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        own = fingerprint(compose("train", ["experiment=lecture/vae", "seed=0"]))
        (folder / "summary.json").write_text(json.dumps({"status": "completed", "fingerprint": own}))
        found = lecture.train_runs("experiment=lecture/vae seed=0", paths)
        assert found == {frozenset(["experiment=lecture/vae", "seed=0"]): folder}
        (folder / "summary.json").write_text(json.dumps({"status": "interrupted", "fingerprint": own}))
        assert lecture.missing({"run": own}, folder.parent) == [own]


def test_the_page_holds_all_it_needs_and_lists_what_was_measured_alone(section, tmp_path):
    write_page(tmp_path, [section])
    html, markdown = ((tmp_path / f"lecture.{kind}").read_text(encoding="utf-8") for kind in ("html", "md"))
    assert "1 shown" in html
    assert not re.search(r"(src|href)=\"(?!data:|#)", html)
    assert "http" not in html.replace("http-equiv", "")
    assert Toeplitz.title in html
    assert "only=game" not in html + markdown
    assert "(figures/toeplitz.png)" in markdown
    assert (tmp_path / "figures/toeplitz.png").is_file()


def test_markdown_shows_signs_as_they_are_and_tables_as_tables(section):
    markdown = render("lecture.md", [section])
    assert r"⟨x, A\*y⟩" in markdown
    assert "A*" not in markdown
    table = markdown[markdown.index("| number | value |") :].split("\n\n")[0].splitlines()
    assert table[1] == "| --- | --- |"
    assert len(table) == 2 + len(section.evidence.table)


def test_a_verdict_that_turns_is_said_on_the_page(section):
    statements = [section.evidence.statements[0]._replace(holds=False), *section.evidence.statements[1:]]
    turned = section._replace(evidence=section.evidence._replace(statements=statements))
    html = render("lecture.html", [turned])
    assert "1 not shown" in html
    assert "does not hold" in html


def test_a_distance_is_measured_once_for_a_run_and_a_kind(monkeypatch, tmp_path):
    counted = []
    monkeypatch.setattr("genlab.lecture.runs.reference", lambda *how: None)
    monkeypatch.setattr("genlab.lecture.runs.feature_statistics", lambda *how: None)
    monkeypatch.setattr("genlab.lecture.runs.frechet", lambda fakes, reals: 7.0)
    folder = Path("somewhere")
    run = SimpleNamespace(datamodule=SimpleNamespace(images=lambda split: None))
    runs = Runs({frozenset(["seed=0", "a=b"]): folder}, lambda path: run, None, tmp_path)

    def kind(found):
        counted.append(found)
        return [0]

    assert runs("a=b", "seed=0") is runs("seed=0", "a=b") is run
    assert runs.distance(run, kind) == runs.distance(run, kind) == 7.0
    assert len(counted) == 1
