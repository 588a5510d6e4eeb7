"""Densities that `prior.py` has fitted to the codes of a run: which one belongs to it, and its use."""

import hashlib
import logging
from typing import Any

from genlab.errors import UsageError
from genlab.models.base import ImageModel
from genlab.priors.store import prior_name, prior_path, read_density
from genlab.protocols import LoadedRun, Reconstructs, require

log = logging.getLogger(__name__)


def use_density(run: LoadedRun, node: Any, run_key: str) -> None:
    """Have the model of a run draw its codes from a density that was fitted to them.

    Args:
        run: a loaded run.
        node: names the class of the density.
        run_key: how the run was typed, `run=PATH`.

    Raises:
        UsageError: if it was not fitted, not to its end, or to the codes of other weights.
    """
    name = prior_name(node)
    require_encoder(run.model, name)
    path = prior_path(run.checkpoint, name)
    raw = " weights=raw" if run.model.weights_in_use == "raw" else ""
    command = f"python src/prior.py {run_key} prior={name}{raw}"
    if (found := read_density(path, run.model)) is None:
        raise UsageError(f"prior={name} was not fitted to the codes of this run: type {command}")
    fit, density, is_complete = found
    if fit.codes != digest(run.model):
        raise UsageError(f"{path} was fitted to the codes of other weights than {run.checkpoint} holds: type {command}")
    if not is_complete:
        raise UsageError(f"{path} is not fitted to its end: type {command} with its settings, {fit.settings}.")
    run.model.draw_codes_from(density)
    log.info("Codes are drawn from %s: %s", path, density.protocol)


def require_encoder(model: ImageModel, name: str) -> None:
    """Raise a UsageError if images have no codes."""
    require(
        model,
        Reconstructs,
        f"prior={name}",
        "its codes are those of the prior that it was trained with, so leave prior= out",
    )


def digest(model: ImageModel) -> str:
    """16 hexadecimal digits that tell the weights of a model from any others."""
    found = hashlib.sha256()
    for name, value in model.state_dict().items():
        found.update(name.encode())
        found.update(value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]
