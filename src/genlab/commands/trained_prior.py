"""A density of the codes of a run that is fitted at the end of its training: `python src/train.py prior=mixture`."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf

from genlab.commands.fitted import require_encoder
from genlab.commands.load import find_checkpoint, load_run
from genlab.config.build import build
from genlab.distributed import gathered, rank_and_world_size
from genlab.errors import UsageError
from genlab.loggers import WandbLogger
from genlab.models.base import ImageModel
from genlab.priors.store import build_density, prior_name
from genlab.run.checkpoint import CALLBACK, checkpoint_folder
from genlab.run.folder import update_summary
from genlab.run.summary import read_outcome
from genlab.stamp import error_key

log = logging.getLogger(__name__)


def check_prior(cfg: DictConfig, model: ImageModel, n_images: int | None = None) -> None:
    """Refuse a `prior` that could not be fitted once a run is trained. It draws no random numbers that others miss.

    Raises:
        UsageError: for a model without an encoder, a run without a checkpoint, or what the density can't be fitted to.
    """
    if not cfg.get("prior"):
        return
    name = prior_name(cfg.prior)
    require_encoder(model, name)
    if not any(node.get("_target_") == CALLBACK for node in cfg.callbacks.values()):
        raise UsageError(f"prior={name} is fitted to the weights of a checkpoint: keep callbacks.checkpoint.")
    with torch.random.fork_rng(devices=[]):
        density = build_density(cfg.prior, model)
    if n_images is not None:
        density.check(n_images)


def fit_and_score(cfg: DictConfig, run_dir: Path, step: int, loggers: Sequence[Logger] = ()) -> float | None:
    """Fit the `prior` of a run to the codes of its best weights, as `prior.py` does, and score what it draws then.

    That is the run's score from then on. The one of the model's own prior stays among its metrics.

    Args:
        cfg: of the run.
        run_dir: its folder.
        step: its last one, for the loggers.
        loggers: are told of the score.

    Returns:
        The score; None if nothing scores.
    """
    from genlab.commands.prior import fit_density  # and with it what draws figures

    path = str(_best(cfg, run_dir))
    if rank_and_world_size()[0] == 0:
        fit_density(load_run(path), cfg.prior, cfg.seed)
    gathered(None)  # the others wait
    run = load_run(path, prior=cfg.prior)
    frechet = OmegaConf.select(cfg, "callbacks.frechet")
    if frechet is None:
        return None
    if torch.accelerator.is_available():
        run.model.to(torch.accelerator.current_accelerator())
    scores: Any = build(frechet)
    score, error = scores.measure(run.model, run.datamodule)
    key, summary = f"{prior_name(cfg.prior)}/{scores.encoder.metric}", read_outcome(run_dir).summary
    found = {key: score} | ({} if error is None else {error_key(key): error})
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.keep_minimum(key)
        logger.log_metrics(found, step)
    metrics = {**(summary.get("metrics") or {}), **{name: {"value": value} for name, value in found.items()}}
    metrics[key]["protocol"] = scores.protocol
    named = {"name": key, "value": score} | ({} if error is None else {"error": error})
    update_summary(run_dir, metrics=metrics, score=named)
    log.info("%s = %.4g, with codes from %s", key, score, scores.protocol["prior"])
    return float(score)


def _best(cfg: DictConfig, run_dir: Path) -> Path:
    """The checkpoint of a run that other commands take too."""
    folder = checkpoint_folder(run_dir, cfg.callbacks)
    if folder == run_dir / "checkpoints":
        return find_checkpoint(run_dir)
    return next(path for name in ("best.ckpt", "last.ckpt") if (path := folder / name).is_file())
