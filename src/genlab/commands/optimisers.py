"""Optimisers and schedules of a configuration, tried out before there is data."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from genlab.errors import UsageError
from genlab.models.base import ImageModel


def try_optimizers(model: ImageModel) -> None:
    """Make a model's optimisers and schedules, and let them take a step, on stand-ins for its parameters.

    A stand-in has one entry and as many dimensions as the parameter, on the CPU: a model without memory will do.

    Raises:
        UsageError: naming `model.optimizer` or `model.scheduler`, and what is wrong with it.
    """
    factories = model.optimizer_factory, model.scheduler_factory
    optimizers: dict[Optimizer, list[Tensor]] = {}
    schedules: list[Any] = []

    def optimizer(parameters: Iterable[Tensor], **own: Any) -> Optimizer:
        stand_ins = [torch.zeros((1,) * p.ndim, device="cpu", requires_grad=True) for p in parameters]
        made: Optimizer = _tried("model.optimizer", factories[0], stand_ins, **own)
        optimizers[made] = stand_ins
        return made

    def schedule(made: Optimizer) -> Any:
        schedules.append(_tried("model.scheduler", factories[1], made))
        return schedules[-1]

    model.optimizer_factory, model.scheduler_factory = optimizer, factories[1] and schedule
    try:
        model.configure_optimizers()
    finally:
        model.optimizer_factory, model.scheduler_factory = factories
    for made, stand_ins in optimizers.items():
        _tried("model.optimizer", _step, made, stand_ins, by_hand=not model.automatic_optimization)
    for found in schedules:
        if isinstance(found, ReduceLROnPlateau):
            raise UsageError(
                "model.scheduler=ReduceLROnPlateau is not possible: it waits for a metric, and schedules move at every "
                "batch here. Type another class, such as torch.optim.lr_scheduler.CosineAnnealingLR."
            )
        _tried("model.scheduler", found.step)


def _tried(key: str, attempt: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        return attempt(*args, **kwargs)
    except Exception as error:  # classes of other packages, each with errors of its own
        raise UsageError(f"{key} can't be used: {' '.join(str(error).split())}") from error


def _step(optimizer: Optimizer, parameters: list[Tensor], by_hand: bool) -> None:
    """Step as a run does: without a loss where the model steps by hand."""

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = torch.stack([p.square().sum() for p in parameters]).sum()
        loss.backward()
        return loss

    closure()
    step: Any = optimizer.step
    if not optimizer.defaults.get("capturable"):  # on a GPU alone
        step((lambda: None) if by_hand else closure)
