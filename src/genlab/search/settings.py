"""How to search, as `hydra.sweeper` says."""

import warnings
from typing import Any, NamedTuple, get_type_hints

import numpy as np
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from genlab.bounds import PositiveInt
from genlab.config.build import build
from genlab.config.values import convert
from genlab.errors import UsageError
from genlab.search.study import Objectives

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
            warnings.simplefilter("ignore", ExperimentalWarning)  # many are, for years
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
