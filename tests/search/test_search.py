"""A search goes on where it was stopped, and says what it has found. No training here."""

import csv
import json

import pytest
from optuna.trial import TrialState
from searching import Kill, X, best, parabola, search, trials, x_of
from settings import options

from genlab.errors import UsageError

TEN = "hydra.sweeper.n_trials=10"


def test_a_search_finds_the_bottom_of_a_parabola_better_than_chance(tmp_path):
    search(tmp_path, parabola, X, "hydra.sweeper.n_trials=30")
    (found,) = best(tmp_path)["best"]
    assert found["values"]["score"] == min(trial.values[0] for trial in trials(tmp_path))
    assert found["params"]["model.optimizer.lr"] == pytest.approx(5, abs=0.3)
    late = [abs(trial.params["model.optimizer.lr"] - 5) for trial in trials(tmp_path)[20:]]
    assert sum(late) / 10 < 1.5  # 2 by chance
    assert (
        json.loads((tmp_path / found["folder"] / "summary.json").read_text())["score"]["value"]
        == (found["values"]["score"])
    )


@pytest.mark.slow
@pytest.mark.parametrize("sampler", sorted({*options("hydra/sweeper/sampler")} - {"grid"}))
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_a_search_that_was_killed_after_any_trial_makes_the_choices_of_one_that_was_not(sampler, n_jobs, tmp_path):
    if sampler == "cmaes":
        pytest.importorskip("cmaes")
    typed = (X, "model.latent_dim=range(1,9)", f"hydra/sweeper/sampler={sampler}", f"hydra.sweeper.n_jobs={n_jobs}")
    typed += ("hydra.sweeper.n_trials=14",)
    search(tmp_path / "whole", parabola, *typed)
    calls = 0

    def killed(values):
        nonlocal calls
        calls += 1
        if calls % 5 == 0:
            raise Kill
        return parabola(values)

    for _ in range(20):
        try:
            search(tmp_path / "killed", killed, *typed)
            break
        except Kill:
            pass
    assert calls > 14
    whole, resumed = trials(tmp_path / "whole"), trials(tmp_path / "killed")
    assert [trial.params for trial in resumed] == [trial.params for trial in whole]
    assert [trial.values for trial in resumed] == [trial.values for trial in whole]
    assert {trial.state for trial in resumed} == {TrialState.COMPLETE}
    assert len({str(trial.params) for trial in whole}) > 10
    assert best(tmp_path / "killed") == best(tmp_path / "whole")


@pytest.mark.slow
def test_a_study_whose_file_was_cut_off_at_any_byte_loses_nothing_and_ends_with_as_many_trials(tmp_path):
    typed = (X, "model.latent_dim=1,2,3", "hydra.sweeper.n_trials=3")
    search(tmp_path / "whole", parabola, *typed)
    whole = (tmp_path / "whole" / "study.log").read_bytes()
    for n_bytes in range(1, len(whole), 173):
        folder = tmp_path / str(n_bytes)
        folder.mkdir()
        (folder / "study.log").write_bytes(whole[:n_bytes])
        search(folder, parabola, *typed)
        assert (folder / "study.log").read_bytes().startswith(whole[: whole.rfind(b"\n", 0, n_bytes) + 1])
        assert [trial.state for trial in trials(folder)] == [TrialState.COMPLETE] * 3
        assert all(len(trial.params) == 2 for trial in trials(folder))
        assert len({trial.user_attrs["folder"] for trial in trials(folder)}) == 3


def test_another_seed_makes_another_search(tmp_path):
    for seed in (0, 1):
        search(tmp_path / str(seed), parabola, X, "hydra.sweeper.n_trials=2", f"hydra.sweeper.seed={seed}")
    assert trials(tmp_path / "0")[0].params != trials(tmp_path / "1")[0].params


def test_more_trials_go_on_with_the_search_and_fewer_leave_it(tmp_path):
    search(tmp_path, parabola, X, "hydra.sweeper.n_trials=3")
    assert len(search(tmp_path, parabola, X, "hydra.sweeper.n_trials=5").launched) == 2
    assert search(tmp_path, parabola, X, "hydra.sweeper.n_trials=2").launched == []
    assert len(trials(tmp_path)) == 5


def test_trials_are_handed_to_the_launcher_in_batches(tmp_path):
    launched = search(tmp_path, parabola, X, "hydra.sweeper.n_trials=5", "hydra.sweeper.n_jobs=2").launched
    assert [len(batch) for batch in launched] == [2, 2, 1]


def test_equal_trials_of_a_batch_run_once_and_are_told_alike(tmp_path):
    typed = ("model.optimizer.lr=1,2", "hydra.sweeper.n_trials=8", "hydra.sweeper.n_jobs=8")
    (batch,) = search(tmp_path, parabola, *typed).launched
    assert sorted(x_of(values) for values in batch) == [1, 2]
    assert {(t.params["model.optimizer.lr"], t.values[0]) for t in trials(tmp_path)} == {(1, 16.0), (2, 9.0)}
    assert len(trials(tmp_path)) == 8
    (found,) = best(tmp_path)["best"]
    assert found["trial"] == min(t.number for t in trials(tmp_path) if t.params["model.optimizer.lr"] == 2)


def test_a_grid_ends_when_every_combination_was_tried_and_is_not_begun_again(tmp_path):
    typed = ("model.optimizer.lr=range(1,4)", "model.latent_dim=2,4", "hydra/sweeper/sampler=grid")
    search(tmp_path, parabola, *typed)
    tried = {tuple(trial.params.values()) for trial in trials(tmp_path)}
    assert tried == {(x, n) for x in (1, 2, 3) for n in (2, 4)}
    assert len(trials(tmp_path)) == 6
    assert search(tmp_path, parabola, *typed).launched == []


def test_a_sampler_that_can_not_search_a_space_says_so(tmp_path):
    with pytest.raises(UsageError, match="BruteForceSampler can't search this"):
        search(tmp_path, parabola, X, "hydra/sweeper/sampler=grid")


def test_a_failed_trial_does_not_end_the_search_and_is_told_at_the_end(tmp_path):
    def fails_above_5(values):
        if x_of(values) > 5:
            raise ValueError("too large")
        return parabola(values)

    with pytest.raises(UsageError, match=r"of 10 trials failed \(number .*\), the first: too large"):
        search(tmp_path, fails_above_5, X, TEN)
    for trial in trials(tmp_path):
        assert trial.state == (TrialState.FAIL if trial.params["model.optimizer.lr"] > 5 else TrialState.COMPLETE)
    assert best(tmp_path)["trials"].keys() == {"completed", "failed"}
    with (tmp_path / "trials.csv").open(newline="") as file:
        reader = csv.DictReader(file)
        assert reader.fieldnames == ["trial", "state", "score", "model.optimizer.lr", "folder"]
        rows = list(reader)
    assert [row["state"] for row in rows] == [
        "failed" if float(row["model.optimizer.lr"]) > 5 else "completed" for row in rows
    ]
    assert [row["score"] == "" for row in rows] == [row["state"] == "failed" for row in rows]


def test_a_score_that_is_no_number_is_a_failure(tmp_path):
    def nan_then_good(values):
        return parabola(values) if x_of(values) < 5 else {"score": {"value": float("nan")}}

    with pytest.raises(UsageError, match=r"trials failed .*the first: it logged no score"):
        search(tmp_path, nan_then_good, "model.optimizer.lr=4,6", "hydra/sweeper/sampler=grid", "hydra.sweeper.seed=1")


def test_an_interrupted_trial_stops_the_search_and_is_taken_up_again(tmp_path):
    def interrupted(values):
        return {"status": "interrupted"} if len(trials(tmp_path)) == 2 else parabola(values)

    with pytest.raises(UsageError, match="trial 1 was interrupted: the same command"):
        search(tmp_path, interrupted, X, TEN)
    assert [trial.state for trial in trials(tmp_path)] == [TrialState.COMPLETE, TrialState.RUNNING]
    before = trials(tmp_path)[1].params
    search(tmp_path, parabola, X, TEN)
    assert (trials(tmp_path)[1].params, len(trials(tmp_path))) == (before, 10)


CHANGED = [
    ((X, "seed=1"), "seed is not given, and now 1;"),
    (("model.optimizer.lr=interval(1,8)",), "model.optimizer.lr is interval(1,9), and now interval(1,8);"),
    ((X, "hydra.sweeper.objectives={score:maximize}"), "score is minimize, and now maximize;"),
]


@pytest.mark.parametrize(("typed", "sentence"), CHANGED, ids=[str(typed) for typed, _ in CHANGED])
def test_another_search_in_the_same_folder_is_refused_once_a_trial_has_ended(typed, sentence, tmp_path):
    def kill(values):
        raise Kill

    with pytest.raises(Kill):
        search(tmp_path, kill, X, TEN)
    search(tmp_path, parabola, X, "hydra.sweeper.n_trials=1", "tags=[a]")
    with pytest.raises(UsageError) as error:
        search(tmp_path, parabola, *typed)
    assert sentence in str(error.value)
    search(tmp_path, parabola, X, "hydra.sweeper.n_trials=2", "tags=[b]")


def test_another_search_takes_the_place_of_one_of_which_no_trial_has_ended(tmp_path):
    def kill(values):
        raise Kill

    with pytest.raises(Kill):
        search(tmp_path, kill, X, TEN)
    search(tmp_path, parabola, "model.optimizer.lr=2,3", "hydra.sweeper.n_trials=2")
    assert [trial.params["model.optimizer.lr"] in (2, 3) for trial in trials(tmp_path)] == [True, True]


def test_a_second_search_in_the_same_folder_is_refused_while_the_first_goes_on(tmp_path):
    def second(values):
        with pytest.raises(UsageError, match="Another process is searching in"):
            search(tmp_path, parabola, X)
        return parabola(values)

    search(tmp_path, second, X, "hydra.sweeper.n_trials=1")
    assert [trial.state for trial in trials(tmp_path)] == [TrialState.COMPLETE]


def test_a_damaged_study_is_refused_with_the_way_out(tmp_path):
    search(tmp_path, parabola, X, "hydra.sweeper.n_trials=2")
    file = tmp_path / "study.log"
    file.write_text(file.read_text().replace("{", "", 5))
    with pytest.raises(UsageError, match=r"is damaged .*: remove it"):
        search(tmp_path, parabola, X)


SETTINGS = [
    ("hydra.sweeper.n_trials=0", "hydra.sweeper.n_trials=0"),
    ("hydra.sweeper.n_jobs=0", "hydra.sweeper.n_jobs=0"),
    ("hydra.sweeper.seed=x", "hydra.sweeper.seed=x"),
    ("+hydra.sweeper.trials=3", "trials is missing or unknown"),
    ("hydra.sweeper.objectives={score:lower}", "no value of hydra.sweeper.objectives.score 'lower'"),
    ("hydra.sweeper.objectives=score", "hydra.sweeper.objectives=score is not possible: it must be a mapping"),
    ("hydra.sweeper.sampler._target_=os.system", "'os.system'"),
    ("+hydra.sweeper.sampler.depth=3", "unexpected keyword argument 'depth'"),
]


@pytest.mark.parametrize(("typed", "sentence"), SETTINGS, ids=[typed for typed, _ in SETTINGS])
def test_wrong_settings_are_refused_before_the_first_trial(typed, sentence, tmp_path):
    with pytest.raises(UsageError) as error:
        search(tmp_path, parabola, X, typed)
    assert sentence in str(error.value)
    assert not (tmp_path / "study.log").exists()


def test_pruning_is_refused_with_several_objectives(tmp_path):
    two = "hydra.sweeper.objectives={score:minimize,seconds:minimize}"
    with pytest.raises(UsageError, match=r"pruner goes by the running score.*no other"):
        search(tmp_path, parabola, X, two, "hydra/sweeper/pruner=median")
