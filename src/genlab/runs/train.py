"""Training: from a configuration to a run folder."""

import logging
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import Checkpoint, ProgressBar
from omegaconf import DictConfig, OmegaConf

from genlab.callbacks.state import newest_score
from genlab.loggers import CSVLogger, WandbLogger
from genlab.runs.build import build
from genlab.runs.folder import open_run_folder, recorded
from genlab.runs.machine import check_machine, keep_freed_memory, quieten

log = logging.getLogger(__name__)


def train(cfg: DictConfig) -> float | None:
    """Train the model of a configuration and leave a run folder behind.

    Returns:
        The newest score, lower being better, for a sweeper to minimise; None if nothing scores.

    Raises:
        UsageError: for any input that can't work, before training starts.
    """
    quieten()
    run_dir = Path(cfg.paths.run_dir)
    check_machine(cfg.trainer)
    keep_freed_memory()
    open_run_folder(run_dir, cfg)
    with recorded(run_dir):
        seed_everything(cfg.seed, workers=True, verbose=False)
        config: Any = OmegaConf.to_container(cfg, resolve=True)
        datamodule = build(cfg.data)
        datamodule.setup()  # before Lightning starts other processes, which find the data prepared
        model = build(cfg.model)
        callbacks = [ConfigInCheckpoint(config), *(build(node) for node in cfg.callbacks.values())]
        loggers = [CSVLogger(str(run_dir)), *(build(node) for node in cfg.logger.values())]
        trainer = build(cfg.trainer, callbacks=callbacks, logger=loggers, **_only(callbacks))
        for logger in loggers:
            logger.log_hyperparams(config)
        log.info("%s on %s, run folder %s", type(model).__name__, datamodule.name, run_dir)
        try:
            trainer.fit(model, datamodule)
        finally:
            _finish_wandb(loggers)
        newest = newest_score(trainer)
        return newest[1] if newest else None


class ConfigInCheckpoint(Callback):
    """Puts the resolved configuration into every checkpoint, so that the file alone is enough to rebuild the model."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Plain containers only: the file has to load with weights_only=True."""
        checkpoint["config"] = self.config


def _only(callbacks: list[Callback]) -> dict[str, bool]:
    """Keep Lightning from adding checkpoints and a progress bar of its own where the configuration has none."""
    return {
        "enable_checkpointing": any(isinstance(callback, Checkpoint) for callback in callbacks),
        "enable_progress_bar": any(isinstance(callback, ProgressBar) for callback in callbacks),
    }


def _finish_wandb(loggers: list[Any]) -> None:
    """End the W&B run, or the next job of a sweep would log into it."""
    if any(isinstance(logger, WandbLogger) for logger in loggers):
        import wandb

        wandb.finish()
