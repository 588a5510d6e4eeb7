"""From a run folder or a checkpoint file back to a model. What is loaded is data, never code."""

import logging
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from genlab.command_line import typed
from genlab.commands.fitted import use_density
from genlab.commands.memory import check_size
from genlab.config.build import build
from genlab.config.references import References
from genlab.errors import UsageError
from genlab.foreign import own_path
from genlab.models.base import ImageModel
from genlab.protocols import LoadedRun
from genlab.run.checkpoint import DamagedCheckpoint, check_parts, explain_damage, read_checkpoint

log = logging.getLogger(__name__)

__all__ = ["find_checkpoint", "load_run", "read_checkpoint"]


def load_run(run: str, weights: str = "ema", prior: Any = None) -> LoadedRun:
    """Rebuild a model from a run folder or from a checkpoint file alone, wherever it was moved.

    A folder gives `checkpoints/best.ckpt` or, without a score, `last.ckpt` (`previous.ckpt` if that is damaged). What
    the file holds is data: it is read with weights_only=True, and only targets of the allow-list are instantiated.

    Args:
        run: path of the folder or file.
        weights: `ema`, the averaged ones where the run has them, or `raw`.
        prior: node of a density that was fitted to the codes of the run and takes the place of the model's own prior.

    Raises:
        UsageError: if there is no such run, if the file is no checkpoint of this project, or if the density was not
            fitted to these weights.
    """
    path = find_checkpoint(Path(run))
    try:
        checkpoint = read_checkpoint(path)
    except DamagedCheckpoint as error:
        previous = path.with_name("previous.ckpt")
        if path == Path(run) or path.name != "last.ckpt" or not previous.is_file():
            raise
        log.warning("%s %s is taken instead.", error, previous)
        path, checkpoint = previous, read_checkpoint(previous)
    with explain_damage(path):
        check_parts(checkpoint["config"], "model", "data")
        References(checkpoint["config"]).check(("model", "data"))
        config = OmegaConf.create(checkpoint["config"])
        check_size(config)
        model: ImageModel = build(config.model)
        averaged = checkpoint.get("ema", {}) if weights == "ema" else {}
        model.load_state_dict(checkpoint["state_dict"] | averaged)
        model.on_load_checkpoint(checkpoint)
        model.weights_in_use = "ema" if averaged else "raw"
        loaded = LoadedRun(model.eval(), build(config.data), checkpoint["config"], path)
    if prior:
        use_density(loaded, prior, typed("run", run))
    return loaded


def find_checkpoint(run: Path, key: str = "run") -> Path:
    """The checkpoint file of a run folder, where no link leads out of it, or the file itself; `key` names either."""
    if run.is_file():
        return run
    if not run.is_dir():
        raise UsageError(
            f"{key}={run} does not exist: give a run folder, such as logs/train/runs/DATE_TIME, or a .ckpt file."
        )
    for name in ("best.ckpt", "last.ckpt", "previous.ckpt"):
        if (path := own_path(run, f"checkpoints/{name}")).is_file():
            return path
    raise UsageError(
        f"{key}={run} is no run folder: checkpoints/best.ckpt and checkpoints/last.ckpt are missing. Give the folder "
        "that holds config.yaml and checkpoints/, or a .ckpt file."
    )
