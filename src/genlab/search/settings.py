"""What `hydra.sweeper` says."""

import warnings
from typing import Any, NamedTuple

import numpy as np
import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from genlab.config.build import build
from genlab.config.values import convert
from genlab.errors import UsageError, whole_number
from genlab.sweeps import objectives


class Settings(NamedTuple):
    """See `configs/hydra/sweeper/optuna.yaml`."""

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
        kinds = {"n_trials": int, "n_jobs": int, "seed": int | None}
        given |= {key: convert(f"hydra.sweeper.{key}", given[key], kind) for key, kind in kinds.items()}
        settings = cls(**given)._replace(objectives=objectives.checked(given["objectives"]))
        whole_number("hydra.sweeper.n_trials", settings.n_trials)
        whole_number("hydra.sweeper.n_jobs", settings.n_jobs)
        if settings.pruner is not None and settings.objectives != objectives.SCORE:
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
            reseed(sampler, int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0]))
        return sampler

    def new_pruner(self) -> BasePruner:
        """The pruner, or one that never prunes."""
        pruner: BasePruner = build(self.pruner or {"_target_": "optuna.pruners.NopPruner"})
        return pruner


def reseed(sampler: BaseSampler, seed: int) -> None:
    """Set all random states that a sampler keeps, those of the samplers inside of it too. (Optuna can't.)"""
    for part in vars(sampler).values():
        if isinstance(part, BaseSampler):
            reseed(part, seed)
        elif isinstance(random := getattr(part, "rng", None), np.random.RandomState):
            random.seed(seed)
