"""The study: what a search knows, kept in a file that survives any end of its processes.

Optuna's journal is a text file to which lines are added. It needs no database, works where SQLite's locks do not
(network disks), and can be read by an eye.
"""

import os
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from genlab.errors import UsageError
from genlab.run.identity import bears_on_result

FILE = "study.log"
NAME = "search"  # of the study in it; Hyperband draws its brackets by it
Objectives = dict[str, Literal["minimize", "maximize"]]


class Study(optuna.Study):
    """A study outside of Optuna's own loop: trials are known by their numbers, and may run in other processes."""

    def stop(self) -> None:
        """Ask for no more trials: some samplers know when all was tried."""
        self.set_user_attr("exhausted", True)

    @property
    def names(self) -> list[str]:
        """Of its objectives."""
        return [name for name, _ in self.user_attrs["search"]["objectives"]]

    def known(self) -> list[FrozenTrial]:
        """All trials, not to be changed."""
        return self.get_trials(deepcopy=False)

    def note(self, number: int, key: str, value: str) -> None:
        """Keep something with an open trial."""
        self._storage.set_trial_user_attr(self.known()[number]._trial_id, key, value)

    def fail(self, number: int, error: str) -> None:
        """Tell that an open trial has failed, and why."""
        self.note(number, "error", error)
        self.tell(number, state=TrialState.FAIL)

    def report(self, number: int, step: int, score: float) -> None:
        """Hand over the score of an open trial at a step, unless it is known."""
        trial = self.known()[number]
        if step not in trial.intermediate_values:
            self._storage.set_trial_intermediate_value(trial._trial_id, step, score)


def open_journal(file: Path) -> JournalStorage:
    """Open the file of a study; a UsageError says that it is damaged."""
    try:
        lock = JournalFileOpenLock(str(file.with_suffix("")))  # earlier versions have left a study.log.lock
        return JournalStorage(JournalFileBackend(str(file), lock))
    except (ValueError, KeyError) as error:
        raise UsageError(
            f"{file} is damaged ({error}): remove it, and the search begins anew; trials whose folders are there need "
            "not run again."
        ) from error


def open_study(
    folder: Path, objectives: Objectives, typed: dict[str, str], sampler: BaseSampler, pruner: BasePruner
) -> Study:
    """Begin a study in a sweep's folder, or go on with the one that is there, unless it has `typed` something else."""
    file, search = folder / FILE, {"objectives": [list(pair) for pair in objectives.items()], "typed": typed}
    if file.is_file() and not (written := file.read_bytes()).endswith(b"\n"):
        os.truncate(file, written.rfind(b"\n") + 1)  # half a line, of a full disk, to which Optuna would append
    journal = open_journal(file)
    options: dict[str, Any] = {"study_name": NAME, "directions": list(objectives.values()), "storage": journal}
    optuna.create_study(**options, load_if_exists=True)
    study = Study(NAME, journal, sampler, pruner)
    if known := study.user_attrs.get("search"):  # earlier versions have recorded paths too
        known = known | {"typed": {key: value for key, value in known["typed"].items() if bears_on_result(key)}}
    if known != search:
        if any(trial.state.is_finished() for trial in study.known()):
            raise UsageError(f"{folder} holds another search: {_difference(known or {}, search)}.")
        optuna.delete_study(study_name=NAME, storage=journal)  # nothing has come of it yet
        optuna.create_study(**options)
        study = Study(NAME, journal, sampler, pruner)
        study.set_user_attr("search", search)
    for trial in study.known():
        if trial.state == TrialState.RUNNING and "folder" not in trial.user_attrs:
            # Its search was killed while it chose its parameters. `ask` takes it up again, and chooses the others.
            journal.set_trial_state_values(trial._trial_id, TrialState.WAITING)
    return study


def _difference(known: dict[str, Any], asked: dict[str, Any]) -> str:
    """Say where two searches differ, and what to do."""
    before, now = (dict(side.get("objectives", [])) | side.get("typed", {}) for side in (known, asked))
    differing = [
        f"{key} is {before.get(key, 'not given')}, and now {now.get(key, 'not given')}"
        for key in before | now
        if before.get(key) != now.get(key)
    ]
    there = "; ".join(differing) or "its objectives stand in another order"
    return f"there {there}; type it as before, or another sweep=NAME"
