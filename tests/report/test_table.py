"""What a sweep varied, how its runs rank, and what is damaged."""

from pathlib import Path

import pandas as pd
import pytest
from report_folders import PROTOCOL, make_run

from genlab.errors import UsageError
from genlab.report import write_report
from genlab.report.find import named_folders, run_folders, sweep_folder
from genlab.report.read import read_run
from genlab.report.settings import as_markdown, as_text, compare_settings
from genlab.report.table import Table, differing_fields, pareto_front, read_table


def swept(tmp_path: Path) -> Table:
    return read_table("sweep", run_folders(tmp_path), tmp_path)


def names(rows: pd.DataFrame) -> list[str]:
    return rows["run"].tolist()


def test_runs_of_one_protocol_are_ranked_from_the_lowest_score(tmp_path):
    for name, score in {"a": 3.0, "b": 1.0, "c": 2.0}.items():
        make_run(tmp_path / name, score)
    table = swept(tmp_path)
    assert [names(group.rows) for group in table.groups] == [["b", "c", "a"]]
    assert list(table.frame["rank"]) == [1, 2, 3]
    assert list(table.frame["score"]) == [1.0, 2.0, 3.0]


def test_runs_of_different_protocols_are_in_groups_of_their_own_and_what_differs_is_named(tmp_path):
    make_run(tmp_path / "a", 3.0)
    make_run(tmp_path / "b", 2.0)
    make_run(tmp_path / "other", 1.0, protocol={"n_fake": 1000})
    table = swept(tmp_path)
    assert [names(group.rows) for group in table.groups] == [["b", "a"], ["other"]]
    assert differing_fields([group.stamp for group in table.groups]) == {"n_fake": [50, 1000]}
    assert [group.title for group in table.groups] == ["fd on digits (n_fake 50)", "fd on digits (n_fake 1,000)"]
    assert list(table.frame["rank"]) == [1, 2, 1]


def test_fitted_priors_are_settings_of_runs_that_are_ranked_together(tmp_path):
    make_run(tmp_path / "own", 3.0)
    for name, score in {"gaussian": 2.0, "mixture": 1.0}.items():
        metrics = {"val/fd": {"value": 3.0, "protocol": PROTOCOL}}
        metrics[f"{name}/fd"] = {"value": score, "protocol": PROTOCOL | {"prior": name}}
        config = {"prior": {"_target_": f"genlab.priors.{name.title()}"}}
        found = {"score": {"name": f"{name}/fd", "value": score}, "metrics": metrics}
        make_run(tmp_path / name, config=config, overrides=[f"prior={name}"], **found)
    table = swept(tmp_path)
    (group,) = table.groups
    assert names(group.rows) == ["mixture", "gaussian", "own"]
    assert table.labels == {"prior._target_": "prior"}
    assert group.rows["title"].tolist() == ["prior Mixture", "prior Gaussian", "own"]
    assert group.rows["val/fd"].tolist() == [3.0, 3.0, 3.0]


@pytest.mark.parametrize(
    ("value", "summary"),
    [
        (None, {}),
        (float("nan"), {}),
        (0.1, {"status": "failed", "error": "ValueError: no"}),
        (0.1, {"protocol": {"invented": 3}}),
        (0.1, {"score": {"name": "val/loss", "value": 0.1}}),
    ],
    ids=["no score", "no number", "failed", "a protocol that nobody knows", "no protocol"],
)
def test_what_can_not_be_ranked_is_listed_without_a_rank(value, summary, tmp_path):
    make_run(tmp_path / "a", 3.0)
    make_run(tmp_path / "b", value, **summary)
    table = swept(tmp_path)
    assert names(table.groups[0].rows) == ["a"]
    assert names(table.unranked) == ["b"]
    assert table.frame["rank"].isna().tolist() == [False, True]


def test_a_run_that_names_no_score_is_ranked_by_the_metric_that_has_a_protocol(tmp_path):
    make_run(tmp_path / "a", 3.0, score=None)
    (group,) = swept(tmp_path).groups
    assert group.rows["score_key"].tolist() == ["val/fd"]
    assert group.rows["score"].tolist() == [3.0]


def test_the_swept_keys_are_those_that_differ_without_copies_paths_and_what_follows_from_the_model(tmp_path):
    both = {"logger": {"name": "x"}, "trainer": {"max_epochs": 3}}
    make_run(tmp_path / "a", model="VAE", latent_dim=4, config=both | {"resume": None})
    make_run(tmp_path / "b", model="GAN", latent_dim=4, seed=1, config=both | {"resume": "auto", "rate": 2})
    make_run(tmp_path / "c", model="GAN", latent_dim=8, config={"trainer": {"max_epochs": 3}, "rate": 2})
    table = swept(tmp_path)
    assert table.keys == ["model._target_", "model.latent_dim", "seed"]
    assert table.labels == {"model._target_": "model", "model.latent_dim": "latent_dim", "seed": "seed"}
    assert table.frame.set_index("run")["title"]["b"] == "GAN · latent_dim 4 · seed 1"


def test_what_follows_from_the_model_is_a_column_if_it_was_typed(tmp_path):
    make_run(tmp_path / "a", model="VAE", config={"rate": 1}, overrides=["model=vae", "rate=1"])
    make_run(tmp_path / "b", model="GAN", config={"rate": 2}, overrides=["model=gan", "rate=2"])
    assert swept(tmp_path).keys == ["model._target_", "rate"]


def test_the_pareto_front_holds_the_points_that_none_beats():
    points = [(1, 9), (2, 5), (2, 7), (3, 6), (4, 5), (5, 2), (6, 1), (7, 3), (float("nan"), 0), (8, float("inf"))]
    frame = pd.DataFrame(points, columns=["cost", "score"])
    assert pareto_front(frame).values.tolist() == [[1, 9], [2, 5], [5, 2], [6, 1]]
    assert pareto_front(frame[:0]).empty


DAMAGE = [
    ("summary.json", None, "summary.json is missing"),
    ("summary.json", "{half", "summary.json can't be read"),
    ("summary.json", "[]", "holds no mapping"),
    ("summary.json", "{}", "no status"),
    ("config.yaml", None, "config.yaml is missing"),
    ("config.yaml", "a: [", "config.yaml can't be read"),
    ("metrics.csv", None, "metrics.csv is missing"),
    ("metrics.csv", "", "metrics.csv can't be read"),
    ("metrics.csv", "step,val/fd\n1,2,3\n1\n4,5,6,7\n", "metrics.csv can't be read"),
    ("metrics.csv", "step,val/fd\n1,word\n", "no numbers in 'val/fd'"),
]


@pytest.mark.parametrize(("file", "text", "reason"), DAMAGE)
def test_a_damaged_run_is_listed_with_the_reason_and_the_others_are_ranked(file, text, reason, tmp_path):
    make_run(tmp_path / "good", 3.0)
    path = make_run(tmp_path / "bad", 1.0) / file
    path.unlink() if text is None else path.write_text(text)
    table = swept(tmp_path)
    assert names(table.groups[0].rows) == ["good"]
    assert table.unranked["status"].tolist() == ["damaged"]
    assert reason in " ".join(table.runs[-1].damage)
    assert table.statuses == {"completed": 1, "damaged": 1}


def test_a_run_that_has_only_begun_has_no_history_and_no_damage(tmp_path):
    run = make_run(tmp_path / "a", None, status="running", metrics={})
    (run / "metrics.csv").unlink()
    run = read_run(run, "a")
    assert (run.status, run.damage, len(run.curve("val/fd"))) == ("running", [], 0)


def test_odd_values_break_nothing(tmp_path):
    odd = [{"metrics": 3}, {"score": "x"}, {"parameters": None}, {"health": [1]}, {"health": {"warnings": 3}}]
    odd += [{"overrides": 3}, {"versions": "x"}, {"seconds": "x"}, {"started": 3}, {"error": [1]}]
    odd += [{"metrics": {"val/fd": {"value": 1.0, "protocol": PROTOCOL | {"split": ["train"]}}}}]
    for n, wrong in enumerate(odd):
        make_run(tmp_path / f"{n:02d}", 1.0, **wrong)
    make_run(tmp_path / "columns", 1.0, config={"callbacks": {"samples": {"n_columns": "x"}}})
    (tmp_path / "columns" / "metrics.csv").write_text("step,val/fd\n,1\n2,inf\n3,4\n")
    (tmp_path / "columns" / "samples" / "epoch_0003.png").write_text("no picture")
    assert sorted(swept(tmp_path).frame["run"]) == [f"{n:02d}" for n in range(len(odd))] + ["columns"]
    assert write_report(tmp_path).is_file()


def test_curves_are_over_the_images_seen(tmp_path):
    curve = read_run(make_run(tmp_path / "a"), "a").curve("val/loss")
    assert curve.to_dict() == {10.0: 3.5, 20.0: 2.5}


def test_a_row_that_is_being_written_is_left_out(tmp_path):
    run = make_run(tmp_path / "a", status="running")
    with (run / "metrics.csv").open("a") as file:
        file.write("2,-")
    run = read_run(run, "a")
    assert run.damage == []
    assert run.curve("val/loss").tolist() == [3.5, 2.5]


def test_runs_are_found_at_any_depth_and_not_inside_of_other_runs(tmp_path):
    for name in ("x", "deep/er/y"):
        make_run(tmp_path / name)
    (tmp_path / "x" / "checkpoints").mkdir()
    (tmp_path / "x" / "checkpoints" / "config.yaml").write_text("")
    assert run_folders(tmp_path) == [tmp_path / "deep/er/y", tmp_path / "x"]
    assert run_folders(tmp_path / "x") == [tmp_path / "x"]


def test_an_unknown_sweep_is_answered_with_the_nearest_and_the_list(tmp_path):
    for name in ("digits_grid", "other"):
        make_run(tmp_path / "train" / "sweeps" / name / "a")
    assert sweep_folder("other", tmp_path) == tmp_path / "train" / "sweeps" / "other"
    with pytest.raises(UsageError, match=r"no sweep 'digit_grid'.*mean 'digits_grid'.*digits_grid, other"):
        sweep_folder("digit_grid", tmp_path)
    with pytest.raises(UsageError, match="holds none"):
        sweep_folder("digit_grid", tmp_path / "nothing")


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(UsageError, match="holds no run"):
        run_folders(tmp_path)


def test_runs_are_named_by_paths_and_patterns_each_once(tmp_path):
    for name in ("run_1", "run_2", "other"):
        make_run(tmp_path / name)
    assert named_folders([f"{tmp_path}/run_*", f"{tmp_path}/run_1"]) == [tmp_path / "run_1", tmp_path / "run_2"]
    with pytest.raises(UsageError, match=r"runs=.*walk_\* names no folder"):
        named_folders([f"{tmp_path}/walk_*"])


def test_settings_are_ranked_by_means_over_seeds_and_share_the_places_that_seeds_do_not_settle(tmp_path):
    found = {"VAE": (300.0, 310.0, 305.0), "GAN": (180.0, 170.0, 175.0), "VAEGAN": (176.0, 186.0, 178.0)}
    for model, values in found.items():
        for seed, value in enumerate(values):
            typed = [f"model={model.lower()}", f"seed={seed}", "sweep=here"]
            make_run(tmp_path / f"{model}_{seed}", value, model=model, seed=seed, overrides=typed)
    make_run(tmp_path / "late", 1.0, model="VAE", seed=3, status="running")
    table = swept(tmp_path)
    settings = compare_settings(table, table.groups[0].rows)
    assert settings["place"].tolist() == ["1–2", "1–2", "3"]
    assert settings["setting"].tolist() == ["GAN", "VAEGAN", "VAE"]
    assert settings["score"].tolist() == [175.0, 180.0, 305.0]
    assert settings["half"][0] == pytest.approx(4.302653 * 5 / 3**0.5)
    assert settings["needed"].notna().tolist() == [False, True, False]
    assert as_text(settings)["score"].tolist() == ["175 ± 12", "180 ± 13", "305 ± 12"]
    assert as_markdown(settings.assign(group="fd on digits")).splitlines()[:5] == [
        "fd on digits, lower is better",
        "",
        "| place | score | seeds | setting | to settle | command |",
        "| --- | --- | --- | --- | --- | --- |",
        "| 1–2 | 175 ± 12 | 3 | GAN |  | `python src/train.py model=gan` |",
    ]


def test_without_a_second_seed_no_setting_is_compared(tmp_path):
    make_run(tmp_path / "a", 3.0)
    make_run(tmp_path / "b", 1.0, latent_dim=2)
    table = swept(tmp_path)
    assert compare_settings(table, table.groups[0].rows) is None
