"""A search: which trials come next, and what becomes of them."""

from collections.abc import Sequence
from pathlib import Path

import optuna
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig
from optuna.trial import FrozenTrial, TrialState

from genlab.command_line import typed
from genlab.errors import UsageError
from genlab.run.identity import Outcome, read_outcome
from genlab.search import results
from genlab.search.locks import lock_sweep, wait_for_lock
from genlab.search.overrides import prune_override
from genlab.search.settings import Settings
from genlab.search.space import Space, parse
from genlab.search.study import FILE, Study, open_study
from genlab.sweeps import objectives


class Search:
    """Asks Optuna for parameters, has a launcher try them, and tells Optuna what came of it.

    All that is known lies in the sweep's folder, so that the same command goes on with a search that has ended in
    whatever way. What a sampler chooses depends on the study and the number of the trial alone, and a batch of `n_jobs`
    trials is asked for when the one before is told: a search that was stopped chooses like one that was not.

    Args:
        settings: of the sweeper.
        arguments: the overrides.
        config: Hydra's for the sweep.
        hydra_context: composes the configurations of the trials.
        launcher: runs them.
    """

    def __init__(
        self,
        settings: Settings,
        arguments: Sequence[str],
        config: DictConfig,
        hydra_context: HydraContext,
        launcher: Launcher,
    ) -> None:
        self.settings, self.config, self.launcher = settings, config, launcher
        self.loader = hydra_context.config_loader
        self.space: Space = parse(arguments)
        self.folder = Path(config.hydra.sweep.dir)

    def run(self) -> None:
        """Search until there are `n_trials`, and leave the best ones in the folder.

        Raises:
            UsageError: if the search can't go on, and at the end if a trial has failed.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with lock_sweep(self.folder):
            directions = self.settings.objectives
            given = (self.settings.new_sampler(0), self.settings.new_pruner())
            search = {"objectives": [list(pair) for pair in directions.items()], "typed": self.space.typed}
            study = open_study(self.folder, search, list(directions.values()), *given)
            while batch := self._next(study):
                self._try(study, batch)
                results.write(study, list(directions), self.folder)
            results.show(study, list(directions), self.folder)
        results.check(study)

    def _next(self, study: Study) -> list[FrozenTrial]:
        """The trials that were stopped, and new ones up to a full batch; none at the end."""
        trials = study.known()
        batch = [self._placed(study, trial.number) for trial in trials if trial.state == TrialState.RUNNING]
        n_trials = 0 if "exhausted" in study.user_attrs else self.settings.n_trials
        for number in range(len(trials), n_trials):
            if batch and number % self.settings.n_jobs == 0:
                break
            batch.append(self._ask(study, number))
        return batch

    def _ask(self, study: Study, number: int) -> FrozenTrial:
        study.sampler = self.settings.new_sampler(number)
        try:
            study.ask(self.space.distributions)
        except (ValueError, ImportError) as error:
            raise UsageError(f"{type(study.sampler).__name__} can't search this: {error}") from error
        return self._placed(study, number)  # comes last: see `mend`

    def _placed(self, study: Study, number: int) -> FrozenTrial:
        """The trial of some number, with the folder that it has under what is typed now."""
        trial = study.known()[number]
        cell = self.loader.load_sweep_config(self.config, self.space.overrides(trial.params))
        folder = str(cell.hydra.sweep.subdir)
        if trial.user_attrs.get("folder") != folder:
            study.note(number, "folder", folder)
        return study.known()[number]

    def _try(self, study: Study, batch: list[FrozenTrial]) -> None:
        """Run the trials of a batch, equal ones once, and tell what came of them.

        Raises:
            UsageError: if one was interrupted, so that there is nothing to tell.
        """
        cells = {trial.user_attrs["folder"]: trial for trial in reversed(batch)}  # by the first trial of each
        for folder in cells:
            wait_for_lock(self.folder / folder)
        overrides = [self._overrides(trial) for trial in cells.values()]
        jobs = self.launcher.launch(overrides, initial_job_idx=batch[0].number)
        ended = {folder: (read_outcome(self.folder / folder), job) for folder, job in zip(cells, jobs, strict=True)}
        for trial in batch:
            self._tell(study, trial, *ended[trial.user_attrs["folder"]])
        if stopped := [str(t.number) for t in batch if ended[t.user_attrs["folder"]][0].status == "interrupted"]:
            raise UsageError(
                f"The search stops, as trial {' and '.join(stopped)} was interrupted: the same command, with "
                f"{typed('sweep', self.folder.name)}, goes on with it."
            )

    def _overrides(self, trial: FrozenTrial) -> list[str]:
        overrides = self.space.overrides(trial.params)
        if self.settings.pruner is None:
            return overrides
        return [*overrides, prune_override(self.folder / FILE, trial.number, self.settings.pruner)]

    def _tell(self, study: Study, trial: FrozenTrial, cell: Outcome, job: JobReturn) -> None:
        if cell.status == "interrupted":
            return
        study.sampler = self.settings.new_sampler(trial.number)
        if cell.status == "pruned":
            study.tell(trial.number, state=TrialState.PRUNED)
        elif cell.status == "completed" and (values := self._values(study, cell)):
            study.tell(trial.number, values)
        else:
            error = cell.error or str(getattr(job, "_return_value", None) or "it was killed")
            if cell.status == "completed":
                error = f"it logged no {' and no '.join(self._lacking(cell))}"
            study.note(trial.number, "error", error)
            study.tell(trial.number, state=TrialState.FAIL)
        results.announce(study.known()[trial.number], list(self.settings.objectives))

    def _values(self, study: Study, cell: Outcome) -> list[float]:
        """The objectives of a completed trial; nothing if it lacks one.

        Raises:
            UsageError: if it is the first one: the others would lack it too.
        """
        found = [objectives.value(cell.summary, name) for name in self.settings.objectives]
        values = [number for number in found if number is not None]
        if len(values) == len(found):
            return values
        if not any(trial.state == TrialState.COMPLETE for trial in study.known()):
            raise UsageError(
                f"The first complete trial has no {' and no '.join(self._lacking(cell))} to search by. "
                f"hydra.sweeper.objectives takes: {', '.join(objectives.numbers(cell.summary))}."
            )
        return []

    def _lacking(self, cell: Outcome) -> list[str]:
        return [name for name in self.settings.objectives if objectives.value(cell.summary, name) is None]
