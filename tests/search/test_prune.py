"""A trial that lags behind ends early, in order, and once."""

import json
import shutil

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.pruners import ThresholdPruner
from optuna.trial import TrialState
from resuming import rows, saved
from settings import TINY, config
from typed import type_in

from genlab.command_line import literal
from genlab.commands.train import train
from genlab.errors import UsageError
from genlab.run.identity import fingerprint
from genlab.run.summary import read_outcome
from genlab.search.study import NAME, open_journal

SCORED = (*TINY, "trainer.max_epochs=3", "callbacks.frechet.every_n_epochs=1", "callbacks.frechet.n_samples=32")
ALWAYS, NEVER = -1.0, 1e9  # scores above these are hopeless


@pytest.fixture
def study(tmp_path):
    """A study with one open trial."""
    made = optuna.create_study(study_name=NAME, storage=open_journal(tmp_path / "study.log"))
    made.ask({"x": FloatDistribution(0, 1)})
    return made


def prune(tmp_path, limit, trial=0):
    """What a sweeper adds to a trial's overrides."""
    pruner = {"_target_": "optuna.pruners.ThresholdPruner", "upper": limit}
    node = {"_target_": "genlab.search.prune.Prune", "study": str(tmp_path / "study.log"), "trial": trial}
    return f"+callbacks.prune={literal({**node, 'pruner': pruner})}"


def run(tmp_path, shared_data, *overrides):
    typed = [*SCORED, "~callbacks.progress", f"paths.data_dir={shared_data}", "resume=auto", *overrides]
    return train(config(*typed, run_dir=tmp_path / "run"))


def scores(tmp_path):
    """By epoch, as metrics.csv has them."""
    found = [row["val/fd_efficientnet_lite0"] for row in rows(tmp_path / "run")]
    return {epoch: float(score) for epoch, score in enumerate(filter(None, found), 1)}


def test_a_pruned_run_ends_after_the_epoch_with_its_checkpoint_its_status_and_its_score(study, tmp_path, shared_data):
    score = run(tmp_path, shared_data, prune(tmp_path, ALWAYS))
    end = read_outcome(tmp_path / "run")
    assert (end.status, end.score, end.summary["epochs"]) == ("pruned", score, 1)
    assert saved(tmp_path / "run")["global_step"] == 4  # one of three epochs
    (trial,) = study.trials
    assert trial.intermediate_values == {1: score}
    assert trial.state == TrialState.RUNNING  # telling is the search's part
    assert run(tmp_path, shared_data, prune(tmp_path, ALWAYS)) == score  # and it is not begun again
    assert saved(tmp_path / "run")["global_step"] == 4


def test_a_run_that_does_not_lag_behind_reports_every_epoch_and_completes(study, tmp_path, shared_data):
    score = run(tmp_path, shared_data, prune(tmp_path, NEVER))
    assert read_outcome(tmp_path / "run").status == "completed"
    assert list(study.trials[0].intermediate_values) == [1, 2, 3]
    assert study.trials[0].intermediate_values == pytest.approx(scores(tmp_path))
    assert study.trials[0].intermediate_values[3] == score


@pytest.mark.slow
def test_a_run_that_is_hopeless_at_its_end_is_complete_all_the_same(study, tmp_path, shared_data):
    run(tmp_path, shared_data, prune(tmp_path, ALWAYS), "trainer.max_epochs=1")
    assert read_outcome(tmp_path / "run").status == "completed"
    assert list(study.trials[0].intermediate_values) == [1]


def test_a_resumed_run_reports_no_epoch_twice(study, tmp_path, shared_data):
    study._storage.set_trial_intermediate_value(study.trials[0]._trial_id, 1, 123.0)  # before it was killed
    run(tmp_path, shared_data, prune(tmp_path, NEVER))
    log = [json.loads(line) for line in (tmp_path / "study.log").read_text().splitlines()]
    assert [entry["step"] for entry in log if "step" in entry] == [1, 2, 3]
    assert study.trials[0].intermediate_values[1] == 123.0


@pytest.mark.slow
def test_a_pruned_run_whose_trial_is_over_can_be_resumed_by_hand(study, tmp_path, shared_data):
    run(tmp_path, shared_data, prune(tmp_path, ALWAYS))
    study.tell(0, state=TrialState.PRUNED)
    train(config(f"resume={tmp_path / 'run'}", run_dir="elsewhere"), [])
    assert read_outcome(tmp_path / "run").status == "completed"
    assert saved(tmp_path / "run")["global_step"] == 12
    assert list(study.trials[0].intermediate_values) == [1]


@pytest.mark.slow
def test_what_is_no_open_trial_is_not_pruned(study, tmp_path, shared_data, caplog):
    study.tell(0, 1.0)
    run(tmp_path, shared_data, prune(tmp_path, ALWAYS))
    assert read_outcome(tmp_path / "run").status == "completed"
    assert "has no trial 0 that is open: nothing is pruned" in caplog.text
    assert study.trials[0].intermediate_values == {}
    shutil.rmtree(tmp_path / "run")
    (tmp_path / "study.log").unlink()
    run(tmp_path, shared_data, prune(tmp_path, ALWAYS))
    assert read_outcome(tmp_path / "run").status == "completed"
    assert not (tmp_path / "study.log").exists()


def test_pruning_without_a_score_is_refused(study, tmp_path, shared_data):
    with pytest.raises(UsageError, match=r"goes by the score.*keep callbacks.frechet"):
        run(tmp_path, shared_data, prune(tmp_path, ALWAYS), "~callbacks.frechet")


def test_the_search_has_no_part_in_the_fingerprint_of_a_trial(tmp_path):
    plain, pruned = config(*SCORED), config(*SCORED, prune(tmp_path, NEVER))
    assert fingerprint(pruned) == fingerprint(plain)
    assert pruned.callbacks.prune.trial == 0  # the configuration itself keeps it
    assert fingerprint(config(*SCORED, "~callbacks.samples")) != fingerprint(plain)


@pytest.mark.rare
def test_two_processes_stop_together(study, tmp_path, shared_data):
    few = (*SCORED[:2], *SCORED[4:], "~callbacks.progress", "trainer=ddp_cpu", f"paths.data_dir={shared_data}")
    typed = (*few, prune(tmp_path, ALWAYS), f"hydra.run.dir={tmp_path}/run")
    result = type_in("train", *typed, cwd=tmp_path, OMP_NUM_THREADS="1")
    assert result.returncode == 0, result.stderr
    assert read_outcome(tmp_path / "run").status == "pruned"
    assert list(study.trials[0].intermediate_values) == [1]
    assert ThresholdPruner(upper=ALWAYS).prune(study, study.trials[0])
