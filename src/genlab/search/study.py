"""The study: what a search knows, kept in a file that survives any end of its processes.

Optuna's journal is a text file to which lines are added. It needs no database, works where SQLite's locks do not
(network disks), and can be read by an eye.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from genlab.errors import UsageError
from genlab.locks import lock_file
from genlab.run.identity import bears_on_result

FILE = "study.log"
NAME = "search"  # of the study in it; Hyperband draws its brackets by it
Objectives = dict[str, Literal["minimize", "maximize"]]
CREATE_TRIAL = 4  # the operation's number in the file's format


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


class JournalLock:
    """Goes with the process. Optuna's own stay behind when their holder is killed, for at least half a minute."""

    def __init__(self, file: Path) -> None:
        self._file, self._held = Path(f"{file}.lock"), ExitStack()

    def acquire(self) -> bool:
        """Wait for the lock."""
        self._held.enter_context(lock_file(self._file, seconds=-1))
        return True

    def release(self) -> None:
        """Let others write."""
        self._held.close()


@contextmanager
def _explain_damage(file: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError) as error:
        raise UsageError(
            f"{file} is damaged ({error}): remove it, and the search begins anew; trials whose folders are there need "
            "not run again."
        ) from error


def open_journal(file: Path) -> JournalStorage:
    """Open the file of a study.

    Raises:
        UsageError: if it can't be read.
    """
    with _explain_damage(file):
        return JournalStorage(JournalFileBackend(str(file), JournalLock(file)))  # type: ignore[arg-type]


def open_study(
    folder: Path, objectives: Objectives, typed: dict[str, str], sampler: BaseSampler, pruner: BasePruner
) -> Study:
    """Begin a study in a folder, or go on with the one that is there.

    Args:
        folder: the sweep's.
        objectives: `minimize` or `maximize` for each.
        typed: what bears on the result.
        sampler: chooses the parameters.
        pruner: tells which trials are hopeless.

    Raises:
        UsageError: if the folder holds trials of another search.
    """
    file = folder / FILE
    with _explain_damage(file):
        mend(file)
    directions = list(objectives.values())
    study = _create(open_journal(file), directions, sampler, pruner)
    search = {"objectives": [list(pair) for pair in objectives.items()], "typed": typed}  # as JSON gives it back
    if known := study.user_attrs.get("search"):  # earlier versions have recorded paths too
        known = known | {"typed": {key: value for key, value in known["typed"].items() if bears_on_result(key)}}
    if known != search:
        if any(trial.state.is_finished() for trial in study.known()):
            raise UsageError(f"{folder} holds another search: {_difference(known or {}, search)}.")
        optuna.delete_study(study_name=NAME, storage=study._storage)  # nothing has come of it yet
        study = _create(study._storage, directions, sampler, pruner)
        study.set_user_attr("search", search)
    return study


def _create(journal: BaseStorage, directions: list[Any], sampler: BaseSampler, pruner: BasePruner) -> Study:
    """Open the study in a journal, or begin it."""
    optuna.create_study(study_name=NAME, storage=journal, directions=directions, load_if_exists=True)
    return Study(NAME, journal, sampler, pruner)


def load_study(file: Path, pruner: BasePruner) -> Study:
    """Open a study that is there, to report to."""
    return Study(NAME, open_journal(file), pruner=pruner)


def mend(file: Path) -> None:
    """Drop what a kill has left unfinished: half a line, to which Optuna would append the next one, and a trial that
    was not yet given all of its parameters, which Optuna would never give it. That is the last one, and has no folder.
    """
    if not file.is_file():
        return
    with lock_file(Path(f"{file}.lock"), seconds=-1), file.open("r+b") as opened:
        lines = [line for line in opened if line.endswith(b"\n")]
        entries = [json.loads(line) for line in lines]
        newest = max((n for n, entry in enumerate(entries) if entry["op_code"] == CREATE_TRIAL), default=len(lines))
        is_placed = any("folder" in entry.get("user_attr", {}) for entry in entries[newest:])
        opened.truncate(sum(map(len, lines if is_placed else lines[:newest])))


def _difference(known: dict[str, Any], asked: dict[str, Any]) -> str:
    """Say where two searches differ, and what to do."""
    for part in ("objectives", "typed"):
        before, now = dict(known.get(part, [])), dict(asked[part])
        for key in [*before, *now]:
            if before.get(key) != now.get(key):
                was, is_now = (repr(side[key]) if key in side else "not given" for side in (before, now))
                return f"there {key} is {was}, and now {is_now}; type it as before, or another sweep=NAME"
    return "its objectives stand in another order; type them as before, or another sweep=NAME"
