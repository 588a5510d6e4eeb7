"""A model, tried out before there is data: what its networks make, and its optimisers and schedules."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from genlab.errors import UsageError, one_line
from genlab.models.base import ImageModel
from genlab.protocols import Reconstructs


@torch.no_grad()
def check_shapes(model: ImageModel) -> None:
    """Decode two codes, encode and reconstruct two images: a loss may well take other shapes, by broadcasting.

    In evaluation mode, on PyTorch's default device; it changes nothing.

    Raises:
        UsageError: if a code or an image has another shape than it is to have.
    """
    was_training, image = model.training, model.image_shape
    model.eval()
    try:
        _check(model, "decode", model.decode(torch.zeros(2, *model.latent_shape)), "images", "data.image_shape", image)
        if isinstance(model, Reconstructs):
            x, code = torch.zeros(2, *image), model.latent_shape
            _check(model, "encode", model.encode(x), "codes", "a code", code)
            _check(model, "reconstruct", model.reconstruct(x), "images", "data.image_shape", image)
    finally:
        model.train(was_training)


def _check(model: ImageModel, method: str, made: Tensor, what: str, key: str, shape: tuple[int, ...]) -> None:
    if tuple(made.shape[1:]) != shape:
        raise UsageError(
            f"{type(model).__name__}.{method} makes {what} of shape {tuple(made.shape[1:])}, and {key} is {shape}."
        )


def try_optimizers(model: ImageModel) -> None:
    """Make a model's optimisers and schedules, and let them take a step, on stand-ins for its parameters.

    A stand-in has one entry and as many dimensions as the parameter, on the CPU: a model without memory will do.

    Raises:
        UsageError: naming `model.optimizer` or `model.scheduler`, and what is wrong with it.
    """
    factories: Any = model.optimizer_factory, model.scheduler_factory
    optimizers: dict[Optimizer, list[Tensor]] = {}
    schedules: list[Any] = []

    def optimizer(parameters: Iterable[Tensor], **own: Any) -> Optimizer:
        stand_ins = [torch.zeros((1,) * p.ndim, device="cpu", requires_grad=True) for p in parameters]
        with _explain("model.optimizer"):
            made: Optimizer = factories[0](stand_ins, **own)
        optimizers[made] = stand_ins
        return made

    def schedule(made: Optimizer) -> Any:
        with _explain("model.scheduler"):
            schedules.append(factories[1](made))
        return schedules[-1]

    model.optimizer_factory, model.scheduler_factory = optimizer, factories[1] and schedule
    try:
        model.configure_optimizers()
    finally:
        model.optimizer_factory, model.scheduler_factory = factories
    if any(isinstance(found, ReduceLROnPlateau) for found in schedules):
        raise UsageError(
            "model.scheduler=ReduceLROnPlateau is not possible: it waits for a metric, and schedules move at every "
            "batch here. Type another class, such as torch.optim.lr_scheduler.CosineAnnealingLR."
        )
    with _explain("model.optimizer"):
        for made, stand_ins in optimizers.items():
            _step(made, stand_ins, by_hand=not model.automatic_optimization)
    with _explain("model.scheduler"):
        for found in schedules:
            found.step()


@contextmanager
def _explain(key: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # classes of other packages, each with errors of its own
        raise UsageError(f"{key} can't be used: {one_line(error)}") from error


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
