"""A run that starts from the weights of another one."""

import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from genlab.commands.load import find_checkpoint
from genlab.errors import UsageError, listed
from genlab.models.base import ImageModel
from genlab.run.checkpoint import read_checkpoint

log = logging.getLogger(__name__)


def start_from(model: ImageModel, init: str) -> None:
    """Copy the weights of another run, those that it is sampled with, where names and shapes agree; say which do not.

    Raises:
        UsageError: see `fitting_tensors`.
    """
    stored, own = _tensors(init), model.state_dict()
    fitting = fitting_tensors(model, init, stored)
    model.load_state_dict({**own, **fitting})
    log.info("init=%s: the run starts with %d of the %d tensors there.", init, len(fitting), len(stored))
    if other := [_shapes(name, stored.get(name), own.get(name)) for name in {**stored, **own} if name not in fitting]:
        log.warning("init=%s: not taken: %s.", init, listed(other))


def fitting_tensors(model: ImageModel, init: str, stored: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """The tensors of another run that a model can take.

    Raises:
        UsageError: if there is no such run, or if it has not one matrix or kernel that fits.
    """
    stored = _tensors(init) if stored is None else stored
    own = model.state_dict()
    fitting = {name: value for name, value in stored.items() if name in own and own[name].shape == value.shape}
    if not any(name in fitting and weight.ndim > 1 for name, weight in model.named_parameters()):
        raise UsageError(
            f"init={init} holds no weights that fit this {type(model).__name__}: it takes a run of a model that shares "
            "networks with it, of the same widths."
        )
    return fitting


def _tensors(init: str) -> dict[str, Tensor]:
    checkpoint = read_checkpoint(find_checkpoint(Path(init), "init"))
    stored = checkpoint["state_dict"] | checkpoint.get("ema", {})
    return {name: value for name, value in stored.items() if isinstance(value, torch.Tensor)}


def _shapes(name: str, there: Tensor | None, here: Tensor | None) -> str:
    if there is None:
        return f"{name} (not there)"
    return f"{name} ({'not here' if here is None else f'{tuple(there.shape)} there, {tuple(here.shape)} here'})"
