"""What can be known of a run before it starts: whether its parts can be built, and how large it is."""

from typing import Any

import torch
from hydra.errors import HydraException
from lightning.pytorch.callbacks import ProgressBar
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from genlab.commands.init import fitting_tensors
from genlab.commands.machine import check_machine
from genlab.commands.memory import check_size, explain_memory_errors
from genlab.commands.model_checks import check_shapes, try_optimizers
from genlab.commands.trained_prior import check_prior
from genlab.commands.trainer_arguments import check_trainer
from genlab.config.build import build, check_config
from genlab.errors import UsageError
from genlab.sentences import sentence
from genlab.sweeps.plan import DryRun
from genlab.trainer.schedule import why_unscored


def dry_run(config: dict[str, Any]) -> DryRun:
    """Build what a run is made of, as its resolved configuration says, without data or a step."""
    cfg = OmegaConf.create(config)
    try:
        check_config(cfg)
        check_machine(cfg.trainer)
        check_trainer(cfg)
        build(cfg.data)
        with explain_memory_errors(cfg):
            check_size(cfg)
            model = _build_model(cfg)
        try_optimizers(model)
        check_prior(cfg, model)
        if cfg.get("init"):
            fitting_tensors(model, cfg.init)
        unscored = _check_callbacks(cfg, model)
    except Exception as error:
        known = isinstance(error, UsageError | HydraException | OmegaConfBaseException)
        text = sentence(error)
        return DryRun(text if known else f"{type(error).__name__}: {text}")
    weights = [*model.parameters(), *model.buffers()]
    n_bytes = sum(w.numel() * w.element_size() for w in weights)
    return DryRun(None, sum(p.numel() for p in model.parameters()), n_bytes, unscored)


def _build_model(cfg: DictConfig, device: str = "meta") -> Any:
    """Build the model without memory, on PyTorch's meta device; what can't be built there is tried on the CPU."""
    try:
        with torch.device(device):
            model = build(cfg.model)
            check_shapes(model)
        return model
    except Exception as error:
        if device == "cpu" or isinstance(error, UsageError):
            raise
        return _build_model(cfg, "cpu")


def _check_callbacks(cfg: DictConfig, model: Any) -> str | None:
    """Build callbacks, loggers and trainer, have the callbacks check the model, and return why there is no score."""
    for node in (cfg.get("logger") or {}).values():
        build(node)
    callbacks = [build(node) for node in cfg.callbacks.values()]
    bar = any(isinstance(callback, ProgressBar) for callback in callbacks)
    quiet = {"logger": False, "enable_checkpointing": True, "enable_progress_bar": bar}
    trainer = build(cfg.trainer, _convert_="all", callbacks=callbacks, **quiet)
    for callback in callbacks:
        callback.setup(trainer, model, "fit")
    return why_unscored(trainer)
