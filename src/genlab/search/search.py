"""A search: which trials come next, and what becomes of them."""

from collections.abc import Sequence
from pathlib import Path

import optuna
from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf
from optuna.trial import TrialState

from genlab.command_line import literal, typed
from genlab.errors import UsageError
from genlab.locks import lock_file
from genlab.run.summary import Outcome, read_outcome
from genlab.search import results
from genlab.search.settings import Settings
from genlab.search.space import parse
from genlab.search.study import FILE, Study, open_study


class Search:
    """Asks Optuna for parameters, has a launcher try them, and tells Optuna what came of it.

    All that is known lies in the sweep's folder, so that the same command goes on with a search that has ended in
    whatever way. What a sampler chooses depends on the number of the trial and on what the study knows then: with one
    trial at a time, a search that was stopped chooses like one that was not.
    """

    study: Study

    def __init__(
        self, settings: Settings, overrides: Sequence[str], config: DictConfig, loader: ConfigLoader, launcher: Launcher
    ) -> None:
        self.settings, self.config, self.loader, self.launcher = settings, config, loader, launcher
        self.space = parse(overrides)
        self.folder = Path(config.hydra.sweep.dir)
        self._stopped: list[int] = []  # numbers of trials whose searches were stopped, still to go on
        self._open: dict[str, list[int]] = {}  # those that are tried now, by their folders
        self._interrupted: list[str] = []

    def run(self) -> None:
        """Search until there are `n_trials`, and leave the best ones in the folder.

        Raises:
            UsageError: if the search can't go on, and at the end if a trial has failed.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.folder.mkdir(parents=True, exist_ok=True)
        busy = f"Another process is searching in {self.folder}: wait until it has ended, or stop it."
        with lock_file(self.folder / ".search.lock", busy):
            given = (self.settings.new_sampler(0), self.settings.new_pruner())
            self.study = open_study(self.folder, self.settings.objectives, self.space.typed, *given)
            trials = self.study.known()
            self._stopped = [trial.number for trial in trials if trial.state == TrialState.RUNNING]
            for number in self._stopped:
                _wait_for(self.folder / self._compose(number)[0].hydra.sweep.subdir)
            self._try_all(self.settings.n_trials - sum(trial.state.is_finished() for trial in trials))
            results.show(self.study, self.folder)

    def _try_all(self, n_left: int) -> None:
        """Start a trial where a slot falls free, or a batch of them with a launcher that knows no slots."""
        if hasattr(self.launcher, "serve"):
            self.launcher.serve(self._ask, self._tell, self.settings.n_jobs, n_left)
        else:
            while batch := list(iter(self._ask, None)):
                _, overrides, numbers = zip(*batch, strict=True)
                jobs = self.launcher.launch(overrides, initial_job_idx=numbers[0])
                for number, job in zip(numbers, jobs, strict=True):
                    self._tell(number, job)
        if self._interrupted:
            raise UsageError(
                f"The search stops, as trial {' and '.join(self._interrupted)} was interrupted: the same command, with "
                f"{typed('sweep', self.folder.name)}, goes on with it."
            )

    def _ask(self) -> tuple[DictConfig, list[str], int] | None:
        """Configuration, overrides and number of the next trial, of equal ones of the first; None if there is none."""
        while sum(map(len, self._open.values())) < self.settings.n_jobs and not self._interrupted:
            if (number := self._next()) is None:
                break
            config, overrides = self._compose(number)
            equal = self._open.setdefault(str(config.hydra.sweep.subdir), [])
            equal.append(number)
            if len(equal) == 1:
                return config, overrides, number
        return None

    def _next(self) -> int | None:
        """The number of a trial that was stopped, or else of a new one; None at the end."""
        if self._stopped:
            return self._stopped.pop(0)
        number = sum(trial.state != TrialState.WAITING for trial in self.study.known())
        if number >= self.settings.n_trials or "exhausted" in self.study.user_attrs:
            return None
        self.study.sampler = self.settings.new_sampler(number)
        try:
            self.study.ask(self.space.distributions)
        except (ValueError, ImportError) as error:
            raise UsageError(f"{type(self.study.sampler).__name__} can't search this: {error}") from error
        return number

    def _compose(self, number: int) -> tuple[DictConfig, list[str]]:
        """Configuration and overrides of a trial; the folder that it has under what is typed now is noted."""
        trial = self.study.known()[number]
        overrides = self.space.overrides(trial.params)
        if self.settings.pruner is not None:
            study, pruner = str(self.folder / FILE), OmegaConf.to_container(self.settings.pruner, resolve=True)
            node = {"_target_": "genlab.search.prune.Prune", "study": study, "trial": number, "pruner": pruner}
            overrides.append(f"+callbacks.prune={literal(node)}")
        config = self.loader.load_sweep_config(self.config, overrides)
        if trial.user_attrs.get("folder") != (folder := str(config.hydra.sweep.subdir)):
            self.study.note(number, "folder", folder)
        return config, overrides

    def _tell(self, number: int, job: JobReturn) -> None:
        """Tell what came of a trial, and of those that equal it; one that was interrupted ends the search."""
        folder = self.study.known()[number].user_attrs["folder"]
        run = read_outcome(self.folder / folder)
        if run.status == "interrupted":
            self._interrupted.append(str(number))
            return
        for equal in self._open.pop(folder):
            self._tell_one(equal, run, job)
        results.write(self.study, self.folder)

    def _tell_one(self, number: int, run: Outcome, job: JobReturn) -> None:
        """Tell what came of a trial.

        Raises:
            UsageError: if the first complete trial lacks an objective: the others would lack it too.
        """
        study = self.study
        found = {name: results.read_objective(run.summary, name) for name in self.settings.objectives}
        lacking = " and no ".join(name for name, value in found.items() if value is None)
        study.sampler = self.settings.new_sampler(number)
        if run.status == "pruned":
            study.tell(number, state=TrialState.PRUNED)
        elif run.status != "completed":
            study.fail(number, run.error or str(getattr(job, "_return_value", None) or "it was killed"))
        elif not lacking:
            study.tell(number, [value for value in found.values() if value is not None])
        elif any(other.state == TrialState.COMPLETE for other in study.known()):
            study.fail(number, f"it logged no {lacking}")
        else:
            raise UsageError(
                f"The first complete trial has no {lacking} to search by. "
                f"hydra.sweeper.objectives takes: {', '.join(dict(results.list_numbers(run.summary)))}."
            )


def _wait_for(run_dir: Path) -> None:
    """Wait for a process that goes on with a trial after its search was killed."""
    waiting = f"A process of an earlier start is still training in {run_dir}: the search waits for it."
    if (run_dir / ".lock").exists():
        with lock_file(run_dir / ".lock", waiting=waiting):
            pass
