"""A search with several slots: the next trial starts where one falls free. No training here, and no real clock."""

import pytest
from optuna.trial import TrialState
from searching import Formulas, Kill, Slots, X, parabola, search, trials, x_of

FOUR = ("hydra.sweeper.n_jobs=4", "hydra.sweeper.n_trials=20")


def takes_a_while(values):
    """Durations from 1 to 4, by what is searched."""
    return parabola(values) | {"duration": 1 + 3 * (x_of(values) - 1) / 8}


def test_no_slot_is_idle_before_nothing_is_left_to_start(tmp_path):
    spans = search(tmp_path, takes_a_while, X, *FOUR, kind=Slots).spans
    last_start = max(start for start, _ in spans)
    busy = sum(min(end, last_start) - start for start, end in spans)
    assert busy == pytest.approx(4 * last_start)
    assert {trial.state for trial in trials(tmp_path)} == {TrialState.COMPLETE}
    assert len(spans) == len(trials(tmp_path)) == 20


def test_with_one_slot_it_is_the_same_search_as_in_batches_of_one(tmp_path):
    for kind in (Slots, Formulas):
        search(tmp_path / kind.__name__, takes_a_while, X, "hydra.sweeper.n_trials=14", kind=kind)
    slots, batches = (trials(tmp_path / kind.__name__) for kind in (Slots, Formulas))
    assert [trial.params for trial in slots] == [trial.params for trial in batches]


def test_a_sampler_sees_what_ended_while_other_trials_go_on(tmp_path):
    n_known = []

    def counted(values):
        n_known.append(sum(trial.state == TrialState.COMPLETE for trial in trials(tmp_path)))
        return takes_a_while(values)

    search(tmp_path, counted, X, *FOUR, kind=Slots)
    assert n_known[:4] == [0] * 4
    assert {*n_known} == set(range(20))


def test_a_search_that_is_killed_again_and_again_loses_no_trial_and_runs_none_twice(tmp_path):
    calls, ended = 0, []

    class Killed(Slots):
        def _run(self, overrides, values):
            nonlocal calls
            calls += 1
            if calls % 3 == 0:
                raise Kill
            ended.append(x_of(values))
            return super()._run(overrides, values)

    asked = {}
    for _ in range(20):
        try:
            search(tmp_path, takes_a_while, X, *FOUR, kind=Killed)
            break
        except Kill:
            pass
        for trial in trials(tmp_path):
            assert asked.setdefault(trial.number, trial.params) == trial.params
    assert calls > 25
    assert sorted(ended) == sorted(trial.params["model.optimizer.lr"] for trial in trials(tmp_path))
    assert [trial.number for trial in trials(tmp_path)] == list(range(20))
    assert {trial.state for trial in trials(tmp_path)} == {TrialState.COMPLETE}


def test_a_trial_that_equals_one_that_goes_on_waits_for_it_in_its_slot(tmp_path):
    typed = ("model.optimizer.lr=1,2", "hydra.sweeper.n_trials=8", "hydra.sweeper.n_jobs=8")
    assert len(search(tmp_path, takes_a_while, *typed, kind=Slots).spans) == 2
    assert {(t.params["model.optimizer.lr"], t.values[0]) for t in trials(tmp_path)} == {(1, 16.0), (2, 9.0)}
    assert len(trials(tmp_path)) == 8


def test_a_grid_ends_when_every_combination_was_tried(tmp_path):
    typed = ("model.optimizer.lr=range(1,4)", "model.latent_dim=2,4", "hydra/sweeper/sampler=grid")
    search(tmp_path, takes_a_while, *typed, "hydra.sweeper.n_jobs=2", kind=Slots)
    assert len({tuple(trial.params.values()) for trial in trials(tmp_path)}) == 6
