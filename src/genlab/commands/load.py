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
from genlab.run.profiles import WORST, reconstruct

log = logging.getLogger(__name__)

__all__ = ["find_checkpoint", "load_run", "read_checkpoint"]


def load_run(run: str, weights: str = "ema", prior: Any = None, ema: float | None = None) -> LoadedRun:
    """Rebuild a model from a run folder or from a checkpoint file alone, wherever it was moved.

    A folder gives `checkpoints/best.ckpt` or, without a score, `last.ckpt` (`previous.ckpt` if that is damaged). What
    the file holds is data: it is read with weights_only=True, and only targets of the allow-list are instantiated.

    Args:
        run: path of the folder or file.
        weights: `ema`, the averaged ones where the run has them, or `raw`.
        ema: width of an average to be put together from those that training has stored; of a folder it ends where
            training does, of a checkpoint there.
        prior: node of a density that was fitted to the codes of the run and takes the place of the model's own prior.

    Raises:
        UsageError: if there is no such run, if the file is no checkpoint of this project, or if the density was not
            fitted to these weights.
    """
    path = find_checkpoint(Path(run))
    if ema is not None and path != Path(run) and (last := path.with_name("last.ckpt")).is_file():
        path = last
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
        if ema is not None:
            _reconstruct(model, path.parent, ema)
        loaded = LoadedRun(model.eval(), build(config.data), checkpoint["config"], path)
    if prior:
        use_density(loaded, prior, typed("run", run))
    return loaded


def _reconstruct(model: ImageModel, checkpoints: Path, ema: float) -> None:
    """Give a model the average of its weights of a relative width."""
    weights, off = reconstruct(checkpoints, ema, model.images_seen)
    if off > WORST:
        said = "ema=%g is off by %.0f%% of its profile: a smaller callbacks.posthoc.every_n_images stores more."
        log.warning(said, ema, 100 * off)
    model.load_state_dict(model.state_dict() | weights)
    for layer in model.train().modules():
        for name in 15 * [*getattr(layer, "parametrizations", ())]:
            getattr(layer, name)  # a step of power iteration: singular vectors are no averages
    model.weights_in_use = f"ema {ema:g}"


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
