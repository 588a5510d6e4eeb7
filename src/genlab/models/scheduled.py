"""What of a model, its objective and its optimisers a schedule can change."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import inf, nextafter
from typing import Any, NamedTuple

import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.optim import Optimizer

from genlab.config.arguments import arguments_of_class
from genlab.config.values import options_of
from genlab.errors import UsageError, unknown
from genlab.schedules import Schedule

BELOW_ONE = nextafter(1.0, 0.0)


class Target(NamedTuple):
    """A number that can be changed."""

    change: Callable[[float], None]
    most: float = inf  # the largest that it may be; none may be negative


def attributes(part: Any) -> dict[str, Target]:
    """The numbers that an object was made with and keeps under the names of its arguments, whole ones left out."""
    cls: type = type(part)
    kinds = arguments_of_class(cls).kinds
    names = [name for name, kind in kinds.items() if float in options_of(kind)]
    values = {name: getattr(part, name, None) for name in names}
    return {
        name: Target(partial(setattr, part, name))
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def of_optimizers(optimizers: Sequence[Optimizer]) -> dict[str, Target]:
    """The learning rate, and where they have momenta these, of all optimisers at once."""
    targets = {"lr": Target(partial(_set, optimizers, "lr"))}
    if all("betas" in group for optimizer in optimizers for group in optimizer.param_groups):
        for i in (0, 1):
            targets[f"beta{i + 1}"] = Target(partial(_set_beta, optimizers, i), BELOW_ONE)
    return targets


def check_schedules(schedules: Mapping[str, Schedule], targets: Mapping[str, Target], has_scheduler: bool) -> None:
    """See that there is something to change for each schedule, and that it may become what the schedule says.

    Raises:
        UsageError: with what can be scheduled, or what the numbers have to be.
    """
    for name, schedule in schedules.items():
        if name not in targets:
            raise UsageError(unknown("number to schedule in model.schedules", name, sorted(targets)))
        if has_scheduler and name.endswith("lr"):
            raise UsageError(
                f"model.scheduler and model.schedules.{name} both set a learning rate: type model.scheduler=null, or "
                f"~model.schedules.{name}."
            )
        (low, high), most = schedule.extremes(), targets[name].most
        if low < 0 or high > most:
            bound = "at least 0" if most == inf else f"from 0 to {'below 1' if most < 1 else '1'}"
            raise UsageError(f"model.schedules.{name} goes from {low} to {high}, and it must stay {bound}.")


def changed(targets: Mapping[str, Target], schedules: Mapping[str, Schedule], images_seen: int) -> dict[str, Tensor]:
    """Set the targets at hand to their values after so many images; returns these, by the keys of the log."""
    values = {name: schedule(images_seen) for name, schedule in schedules.items() if name in targets}
    for name, value in values.items():
        targets[name].change(value)
    return {f"schedule/{name}": torch.tensor(value) for name, value in values.items()}


def _set(optimizers: Sequence[Optimizer], key: str, value: float) -> None:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group[key] = value


def _set_beta(optimizers: Sequence[Optimizer], i: int, value: float) -> None:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["betas"] = tuple(value if i == j else beta for j, beta in enumerate(group["betas"]))


def check_total_steps(trainer: Trainer) -> None:
    """Raise a UsageError if a scheduler of PyTorch's ends before the run does: it would raise an error there."""
    for config in trainer.lr_scheduler_configs:
        steps = getattr(config.scheduler, "total_steps", None)
        if steps is not None and steps < (needed := trainer.estimated_stepping_batches):
            raise UsageError(
                f"model.scheduler.total_steps={steps} is less than the {needed} steps of this run: type "
                f"model.scheduler.total_steps={needed}."
            )
