"""What is searched by: numbers of the summary, one or several."""

import pytest
from optuna.trial import TrialState
from searching import X, best, parabola, search, trials, x_of

from genlab.errors import UsageError
from genlab.search.results import read_objective

FRONT = ("hydra.sweeper.objectives={parameters.total:minimize,metrics.val/psnr:maximize}", "hydra/sweeper/sampler=grid")
SUMMARY = {
    "score": {"name": "val/fid", "value": 3.0},
    "metrics": {"val/psnr": {"value": 20, "protocol": {"n_real": 64}}},
    "parameters": {"encoder": 1, "total": 7},
    "health": {"newest": {"loss": None}},
    "flag": True,
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("score", 3.0),
        ("score.value", 3.0),
        ("metrics.val/psnr", 20.0),
        ('metrics."val/psnr"', 20.0),
        ("parameters.total", 7.0),
        ("parameters", None),
        ("health.newest.loss", None),
        ("flag", None),
        ("nonsense", None),
    ],
)
def test_an_objective_is_the_number_at_its_place_in_the_summary(name, expected):
    assert read_objective(SUMMARY, name) == expected


def test_the_pareto_front_of_two_objectives_is_the_one_found_by_hand(tmp_path, capsys):
    table = {1: (10, 1.0), 2: (20, 3.0), 3: (20, 2.0), 4: (30, 3.0), 5: (40, 9.0)}  # 3 loses to 2, and 4 to 2 as well

    def formula(values):
        total, psnr = table[x_of(values)]
        return {"parameters": {"total": total}, "metrics": {"val/psnr": {"value": psnr}}}

    search(tmp_path, formula, "model.optimizer.lr=1,2,3,4,5", *FRONT)
    front = [(found["params"]["model.optimizer.lr"], *found["values"].values()) for found in best(tmp_path)["best"]]
    assert front == [(1, 10, 1.0), (2, 20, 3.0), (5, 40, 9.0)]
    assert best(tmp_path)["objectives"] == {"parameters.total": "minimize", "metrics.val/psnr": "maximize"}
    printed = capsys.readouterr().out
    assert "Pareto front" in printed
    assert "5 completed" in printed


def test_an_objective_that_nobody_logs_ends_the_search_after_the_first_trial_with_what_there_is(tmp_path):
    calls = []

    def formula(values):
        calls.append(values)
        return SUMMARY

    with pytest.raises(UsageError) as error:
        search(tmp_path, formula, X, "hydra.sweeper.objectives={score:minimize,fid:minimize}")
    assert "has no fid to search by" in str(error.value)
    assert "takes: score, metrics.val/psnr, parameters.encoder, parameters.total." in str(error.value)
    assert len(calls) == 1
    search(tmp_path, formula, X, "hydra.sweeper.n_trials=2")  # put right, it begins with the same parameters
    assert calls[1] == calls[0]


def test_a_later_trial_that_lacks_an_objective_has_failed(tmp_path):
    def formula(values):
        return parabola(values) if len(trials(tmp_path)) == 1 else {}

    with pytest.raises(UsageError, match=r"1 of 2 trials failed .*it logged no score"):
        search(tmp_path, formula, X, "hydra.sweeper.n_trials=2")
    assert [trial.state for trial in trials(tmp_path)] == [TrialState.COMPLETE, TrialState.FAIL]


def test_the_largest_value_is_the_best_where_it_is_to_be_maximised(tmp_path):
    search(tmp_path, parabola, X, "hydra.sweeper.objectives={score:maximize}", "hydra.sweeper.n_trials=6")
    assert best(tmp_path)["best"][0]["values"]["score"] == max(trial.values[0] for trial in trials(tmp_path))


def test_a_trial_that_was_tried_twice_stands_in_the_front_once(tmp_path):
    def formula(values):
        return {"a": x_of(values), "b": -x_of(values)}

    two = "hydra.sweeper.objectives={a:minimize,b:minimize}"
    search(tmp_path, formula, "model.optimizer.lr=1,2", two, "hydra.sweeper.n_trials=8")
    assert len(trials(tmp_path)) == 8
    assert [found["values"] for found in best(tmp_path)["best"]] == [{"a": 1, "b": -1}, {"a": 2, "b": -2}]
