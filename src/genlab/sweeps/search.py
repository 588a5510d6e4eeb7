"""A search: which trials come next, and what becomes of them."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import optuna
from filelock import FileLock, Timeout
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from genlab.errors import UsageError, whole_number
from genlab.runs.build import build
from genlab.sweeps import objectives, results
from genlab.sweeps.cell import Outcome, outcome
from genlab.sweeps.space import Space, parse
from genlab.sweeps.study import FILE, open_study

log = logging.getLogger(__name__)


class Settings(NamedTuple):
    """What `hydra.sweeper` says: see `configs/hydra/sweeper/optuna.yaml`."""

    n_trials: int
    n_jobs: int
    seed: int | None
    sampler: Any  # config nodes
    pruner: Any
    objectives: dict[str, str]

    @classmethod
    def checked(cls, **given: Any) -> "Settings":
        """Make sense of what is given.

        Raises:
            UsageError: for an unknown key or an impossible value.
        """
        for key in given.keys() ^ cls._fields:
            raise UsageError(f"hydra.sweeper takes {', '.join(cls._fields)}, and {key} is missing or unknown.")
        settings = cls(**given)._replace(objectives=objectives.checked(given["objectives"]))
        whole_number("hydra.sweeper.n_trials", settings.n_trials)
        whole_number("hydra.sweeper.n_jobs", settings.n_jobs)
        if settings.seed is not None:
            whole_number("hydra.sweeper.seed", settings.seed, 0)
        if settings.pruner is not None and settings.objectives != objectives.SCORE:
            raise UsageError(
                "hydra.sweeper.pruner goes by the running score, so it needs hydra.sweeper.objectives={score:minimize} "
                "and no other: leave the pruner out, or the objectives."
            )
        return settings


class Search:
    """Asks Optuna for parameters, has a launcher try them, and tells Optuna what came of it.

    All that is known lies in the sweep's folder, so that the same command goes on with a search that has ended in
    whatever way. What a sampler chooses depends on the study and the number of the trial alone, and trials are asked for in
    batches of `n_jobs` when the batch before is told: a search that was stopped makes the same choices as one that was
    not.

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
        pruner = build(self.settings.pruner or NO_PRUNER)
        with alone_in(self.folder):
            directions = self.settings.objectives
            search = {"objectives": [list(pair) for pair in directions.items()], "typed": self.space.typed}
            study = open_study(self.folder, search, list(directions.values()), self._sampler(0), pruner)
            while batch := self._next(study):
                self._try(study, batch)
                results.write(study, list(directions), self.folder)
            results.show(study, list(directions), self.folder)
        results.check(study)

    def _next(self, study: optuna.Study) -> list[FrozenTrial]:
        """The trials that were stopped, and new ones up to a full batch; none at the end."""
        trials = study.get_trials(deepcopy=False)
        batch = [self._placed(study, trial.number) for trial in trials if trial.state == TrialState.RUNNING]
        n_trials = 0 if "exhausted" in study.user_attrs else self.settings.n_trials
        for number in range(len(trials), n_trials):
            if batch and number % self.settings.n_jobs == 0:
                break
            batch.append(self._ask(study, number))
        return batch

    def _ask(self, study: optuna.Study, number: int) -> FrozenTrial:
        study.sampler = self._sampler(number)
        try:
            study.ask(self.space.distributions)
        except (ValueError, ImportError) as error:
            raise UsageError(f"{type(study.sampler).__name__} can't search this: {error}") from error
        return self._placed(study, number)  # comes last: see `mend`

    def _placed(self, study: optuna.Study, number: int) -> FrozenTrial:
        """The trial of some number, with the folder that it has under what is typed now."""
        trial = study.get_trials(deepcopy=False)[number]
        cell = self.loader.load_sweep_config(self.config, self.space.overrides(trial.params))
        folder = str(cell.hydra.sweep.subdir)
        if trial.user_attrs.get("folder") != folder:
            study._storage.set_trial_user_attr(trial._trial_id, "folder", folder)
        return study.get_trials(deepcopy=False)[number]

    def _sampler(self, number: int) -> BaseSampler:
        """A new one for every trial: all that it knows of the others stands in the study."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # many are, for years
            sampler: BaseSampler = build(self.settings.sampler)
        if self.settings.seed is not None:
            reseed(sampler, int(np.random.SeedSequence([self.settings.seed, number]).generate_state(1)[0]))
        return sampler

    def _try(self, study: optuna.Study, batch: list[FrozenTrial]) -> None:
        """Run the trials of a batch, equal ones once, and tell what came of them.

        Raises:
            UsageError: if one was interrupted, so that there is nothing to tell.
        """
        cells = {trial.user_attrs["folder"]: trial for trial in reversed(batch)}  # by the first trial of each
        for folder in cells:
            wait_for(self.folder / folder)
        overrides = [self._overrides(trial) for trial in cells.values()]
        jobs = self.launcher.launch(overrides, initial_job_idx=batch[0].number)
        ended = {folder: (outcome(self.folder / folder), job) for folder, job in zip(cells, jobs, strict=True)}
        for trial in batch:
            self._tell(study, trial, *ended[trial.user_attrs["folder"]])
        if stopped := [str(t.number) for t in batch if ended[t.user_attrs["folder"]][0].status == "interrupted"]:
            raise UsageError(
                f"The search stops, as trial {' and '.join(stopped)} was interrupted: the same command, with "
                f"sweep={self.folder.name}, goes on with it."
            )

    def _overrides(self, trial: FrozenTrial) -> list[str]:
        overrides = self.space.overrides(trial.params)
        if self.settings.pruner is None:
            return overrides
        prune = {
            "_target_": "genlab.callbacks.Prune",
            "study": str(self.folder / FILE),
            "trial": trial.number,
            "pruner": OmegaConf.to_container(self.settings.pruner, resolve=True),
        }
        return [*overrides, f"+callbacks.prune={literal(prune)}"]

    def _tell(self, study: optuna.Study, trial: FrozenTrial, cell: Outcome, job: JobReturn) -> None:
        if cell.status == "interrupted":
            return
        study.sampler = self._sampler(trial.number)
        if cell.status == "pruned":
            study.tell(trial.number, state=TrialState.PRUNED)
        elif cell.status == "completed" and (values := self._values(study, cell)):
            study.tell(trial.number, values)
        else:
            error = cell.error or str(getattr(job, "_return_value", None) or "it was killed")
            if cell.status == "completed":
                error = f"it logged no {' and no '.join(self._lacking(cell))}"
            study._storage.set_trial_user_attr(trial._trial_id, "error", error)
            study.tell(trial.number, state=TrialState.FAIL)
        results.announce(study.get_trials(deepcopy=False)[trial.number], list(self.settings.objectives))

    def _values(self, study: optuna.Study, cell: Outcome) -> list[float]:
        """The objectives of a completed trial; nothing if it lacks one.

        Raises:
            UsageError: if it is the first one: the others would lack it too.
        """
        found = [objectives.value(cell.summary, name) for name in self.settings.objectives]
        values = [number for number in found if number is not None]
        if len(values) == len(found):
            return values
        if not any(trial.state == TrialState.COMPLETE for trial in study.get_trials(deepcopy=False)):
            raise UsageError(
                f"The first complete trial has no {' and no '.join(self._lacking(cell))} to search by. "
                f"hydra.sweeper.objectives takes: {', '.join(objectives.numbers(cell.summary))}."
            )
        return []

    def _lacking(self, cell: Outcome) -> list[str]:
        return [name for name in self.settings.objectives if objectives.value(cell.summary, name) is None]


NO_PRUNER = {"_target_": "optuna.pruners.NopPruner"}


def reseed(sampler: BaseSampler, seed: int) -> None:
    """Set all random states that a sampler keeps, those of the samplers inside of it too. (Optuna can't.)"""
    for part in vars(sampler).values():
        if isinstance(part, BaseSampler):
            reseed(part, seed)
        elif isinstance(random := getattr(part, "rng", None), np.random.RandomState):
            random.seed(seed)


def literal(value: Any) -> str:
    """Write a value so that Hydra reads it as the same one."""
    return Override._get_value_element_as_str(_quoted(value))


def _quoted(value: Any) -> Any:
    if isinstance(value, str):
        return QuotedString(value, Quote.single)
    if isinstance(value, Mapping):
        return {key: _quoted(part) for key, part in value.items()}
    return [_quoted(part) for part in value] if isinstance(value, list) else value


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep a second search out of a sweep's folder.

    Raises:
        UsageError: if there is one already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".search.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UsageError(f"Another process is searching in {folder}: wait until it has ended, or stop it.") from None
    try:
        yield
    finally:
        lock.release()


def wait_for(run_dir: Path) -> None:
    """Wait for a process that goes on with a trial after its search was killed."""
    if not (run_dir / ".lock").exists():
        return
    lock = FileLock(run_dir / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("A process of an earlier start is still training in %s: the search waits for it.", run_dir)
        lock.acquire()
    lock.release()
