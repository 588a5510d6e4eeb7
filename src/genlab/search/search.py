"""A search: which trials come next, and what becomes of them."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import numpy as np
import optuna
from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from genlab.bounds import PositiveInt
from genlab.command_line import literal, typed
from genlab.config.build import build
from genlab.config.values import convert
from genlab.errors import UsageError
from genlab.locks import lock_file
from genlab.run.summary import Outcome, read_outcome
from genlab.search import results
from genlab.search.space import parse
from genlab.search.study import FILE, Objectives, Study, open_study

SCORE: Objectives = {"score": "minimize"}


class Settings(NamedTuple):
    """What `hydra.sweeper` says: see `configs/hydra/sweeper/optuna.yaml`."""

    n_trials: PositiveInt
    n_jobs: PositiveInt
    seed: int | None
    sampler: Any  # config nodes
    pruner: Any
    objectives: Objectives

    @classmethod
    def checked(cls, **given: Any) -> "Settings":
        """Convert what is given; raises a UsageError for an unknown key or an impossible value."""
        for key in given.keys() ^ cls._fields:
            raise UsageError(f"hydra.sweeper takes {', '.join(cls._fields)}, and {key} is missing or unknown.")
        kinds = get_type_hints(cls, include_extras=True)
        given["objectives"] = given["objectives"] or SCORE
        settings = cls(**{key: convert(f"hydra.sweeper.{key}", value, kinds[key]) for key, value in given.items()})
        if settings.pruner is not None and settings.objectives != SCORE:
            raise UsageError(
                "hydra.sweeper.pruner goes by the running score, so it needs hydra.sweeper.objectives={score:minimize} "
                "and no other: leave the pruner out, or the objectives."
            )
        return settings

    def new_sampler(self, number: int) -> BaseSampler:
        """A sampler for one trial: all that it knows of the others stands in the study."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # many are, for years
            sampler: BaseSampler = build(self.sampler)
        if self.seed is not None:
            _reseed(sampler, int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0]))
        return sampler

    def new_pruner(self) -> BasePruner:
        """The pruner, or one that never prunes."""
        pruner: BasePruner = build(self.pruner or {"_target_": "optuna.pruners.NopPruner"})
        return pruner


def _reseed(sampler: BaseSampler, seed: int) -> None:
    """Set all random states that a sampler keeps, those of the samplers inside of it too. (Optuna can't.)"""
    for part in vars(sampler).values():
        if isinstance(part, BaseSampler):
            _reseed(part, seed)
        elif isinstance(random := getattr(part, "rng", None), np.random.RandomState):
            random.seed(seed)


class Search:
    """Asks Optuna for parameters, has a launcher try them, and tells Optuna what came of it.

    All that is known lies in the sweep's folder, so that the same command goes on with a search that has ended in
    whatever way. What a sampler chooses depends on the study and the number of the trial alone, and a batch of `n_jobs`
    trials is asked for when the one before is told: a search that was stopped chooses like one that was not.
    """

    def __init__(
        self, settings: Settings, overrides: Sequence[str], config: DictConfig, loader: ConfigLoader, launcher: Launcher
    ) -> None:
        self.settings, self.config, self.loader, self.launcher = settings, config, loader, launcher
        self.space = parse(overrides)
        self.folder = Path(config.hydra.sweep.dir)

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
            study = open_study(self.folder, self.settings.objectives, self.space.typed, *given)
            while batch := self._next(study):
                self._try(study, batch)
                results.write(study, self.folder)
            results.show(study, self.folder)

    def _next(self, study: Study) -> list[FrozenTrial]:
        """The trials that were stopped, and new ones up to a full batch; none at the end."""
        trials = study.known()
        batch = [self._place(study, trial.number) for trial in trials if trial.state == TrialState.RUNNING]
        n_asked = sum(trial.state != TrialState.WAITING for trial in trials)
        n_trials = 0 if "exhausted" in study.user_attrs else self.settings.n_trials
        for number in range(n_asked, n_trials):
            if batch and number % self.settings.n_jobs == 0:
                break
            study.sampler = self.settings.new_sampler(number)
            try:
                study.ask(self.space.distributions)
            except (ValueError, ImportError) as error:
                raise UsageError(f"{type(study.sampler).__name__} can't search this: {error}") from error
            batch.append(self._place(study, number))
        return batch

    def _place(self, study: Study, number: int) -> FrozenTrial:
        """Return the trial of some number, with the folder that it has under what is typed now."""
        trial = study.known()[number]
        config = self.loader.load_sweep_config(self.config, self.space.overrides(trial.params))
        folder = str(config.hydra.sweep.subdir)
        if trial.user_attrs.get("folder") != folder:
            study.note(number, "folder", folder)
        return study.known()[number]

    def _try(self, study: Study, batch: list[FrozenTrial]) -> None:
        """Run the trials of a batch, equal ones once, and tell what came of them.

        Raises:
            UsageError: if one was interrupted, so that there is nothing to tell.
        """
        trials = {trial.user_attrs["folder"]: trial for trial in reversed(batch)}  # the first of each folder
        for folder in trials:
            _wait_for(self.folder / folder)
        jobs = self.launcher.launch([self._overrides(t) for t in trials.values()], initial_job_idx=batch[0].number)
        ended = {folder: (read_outcome(self.folder / folder), job) for folder, job in zip(trials, jobs, strict=True)}
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
        study, pruner = str(self.folder / FILE), OmegaConf.to_container(self.settings.pruner, resolve=True)
        node = {"_target_": "genlab.search.prune.Prune", "study": study, "trial": trial.number, "pruner": pruner}
        return [*overrides, f"+callbacks.prune={literal(node)}"]

    def _tell(self, study: Study, trial: FrozenTrial, run: Outcome, job: JobReturn) -> None:
        """Tell what came of a trial, unless it was interrupted.

        Raises:
            UsageError: if the first complete trial lacks an objective: the others would lack it too.
        """
        if run.status == "interrupted":
            return
        found = {name: results.read_objective(run.summary, name) for name in self.settings.objectives}
        lacking = " and no ".join(name for name, value in found.items() if value is None)
        study.sampler = self.settings.new_sampler(trial.number)
        if run.status == "pruned":
            study.tell(trial.number, state=TrialState.PRUNED)
        elif run.status != "completed":
            study.fail(trial.number, run.error or str(getattr(job, "_return_value", None) or "it was killed"))
        elif not lacking:
            study.tell(trial.number, [value for value in found.values() if value is not None])
        elif any(other.state == TrialState.COMPLETE for other in study.known()):
            study.fail(trial.number, f"it logged no {lacking}")
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
