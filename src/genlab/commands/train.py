"""Training: from a configuration to a run folder."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch import Callback, seed_everything
from lightning.pytorch.callbacks import Checkpoint, ProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from omegaconf import DictConfig

from genlab.commands.init import start_from
from genlab.commands.labels import learn_labels
from genlab.commands.load import find_checkpoint
from genlab.commands.machine import (
    allow_tf32,
    check_machine,
    keep_freed_memory,
    know_there_is_no_gpu,
    quieten,
    say_where_it_crashed,
)
from genlab.commands.memory import check_size, explain_memory_errors
from genlab.commands.model_checks import check_shapes, try_optimizers
from genlab.commands.resume import Resumption, resumption
from genlab.commands.trained_prior import check_prior, fit_and_score
from genlab.commands.trainer_arguments import check_trainer, explain_refusals
from genlab.config.build import build, check_config
from genlab.config.keys import check_keys
from genlab.config.record import as_typed, record_config
from genlab.distributed import leave_group_at_exit
from genlab.errors import UsageError
from genlab.loggers import CSVLogger, WandbLogger, tolerant
from genlab.run.checkpoint import explain_damage
from genlab.run.folder import lock_run, open_run_folder, put_back_unless, record_run, update_summary
from genlab.run.identity import fingerprint, run_folder
from genlab.run.summary import Outcome, read_outcome
from genlab.trainer.internals import pass_over_idle_hooks, purge_events
from genlab.trainer.resume_state import ResumeState, explain_restoring
from genlab.trainer.schedule import Validation, newest_score
from genlab.trainer.signals import Signals

log = logging.getLogger(__name__)


def train(cfg: DictConfig, typed: Sequence[str] | None = None) -> float | None:
    """Train the model of a configuration and leave a run folder behind, or go on with a run (`resume`).

    With `resume=auto`, which the runs of a sweep have, a run that is complete is left as it is. A run that goes on
    applies the `typed` overrides of the command line, which Hydra knows, to its own configuration.

    Returns:
        The newest score, lower being better, for a sweeper to minimise; None if nothing scores.

    Raises:
        UsageError: for any input that can't work, before training starts.
        SystemExit: with 128 and the signal's number, if the run was stopped by one.
    """
    quieten()
    if HydraConfig.initialized():
        typed = as_typed(HydraConfig.get().overrides.task) if typed is None else typed
        _join_sweep(cfg)
    if cfg.get("preflight") == "only":
        raise UsageError("preflight=only says what a sweep will take: type it with -m, and with the default launcher.")
    resume = cfg.get("resume")
    own: str | None = fingerprint(cfg)  # of what was typed, as the launcher of a sweep knows it
    check = check_config if resume in (None, "auto") else check_keys  # a run that is named has a model of its own
    check(cfg, keep_references=True)
    run_dir = Path(cfg.paths.run_dir) if resume in (None, "auto") else run_folder(resume)
    with ExitStack() as stack:
        stack.enter_context(lock_run(run_dir, seconds=30 if resume == "auto" else 0))
        before = read_outcome(run_dir)
        if resume == "auto" and _is_settled(before, run_dir, own, cfg):
            return before.score
        resumed = resumption(cfg, typed or [])
        if resumed and resumed.is_complete:
            score = fit_and_score(cfg, run_dir, resumed.n_steps) if cfg.get("prior") else before.score
            update_summary(run_dir, status="completed", error=None)  # it was killed just before it could say so
            return score
        if resumed and resume != "auto":
            own = None if resumed.is_changed else before.summary.get("fingerprint")
        signals = Signals()
        if resumed and before.is_final:
            stack.enter_context(put_back_unless(lambda: signals.has_begun, run_dir))
        cfg, config = _check(cfg, resumed)
        open_run_folder(run_dir, config, again=bool(resume))
        fields = {"fingerprint": own} | _overrides(typed, before if resumed else None)
        ending = stack.enter_context(record_run(run_dir, resumed is not None, **fields))
        stack.enter_context(explain_memory_errors(cfg))
        stack.enter_context(signals.installed(run_dir))
        trainer, model, datamodule = _build(cfg, config, resumed, signals)
        stack.callback(_finish_wandb, trainer.loggers)
        with explain_refusals():
            trainer.fit(model, datamodule, ckpt_path=resumed and str(resumed.checkpoint), weights_only=True)
        if any(getattr(callback, "pruned", False) for callback in trainer.callbacks):
            ending["status"] = "pruned"
        elif cfg.get("prior"):
            return fit_and_score(cfg, run_dir, trainer.global_step, trainer.loggers)
        newest = newest_score(trainer)
        return newest[1] if newest else None


def _join_sweep(cfg: DictConfig) -> None:
    """Have a run of a sweep that another launcher than ours starts go on with what is in its folder."""
    hydra = HydraConfig.get()
    if hydra.mode == RunMode.MULTIRUN:
        cfg.resume = cfg.resume or "auto"
        cfg.sweep = Path(hydra.sweep.dir).name


def _check(cfg: DictConfig, resumed: Resumption | None) -> tuple[DictConfig, Any]:
    """Refuse what can't work before anything is written; returns the run's configuration, and how it is recorded."""
    cfg = resumed.config if resumed else cfg
    check_machine(cfg.trainer)
    config = record_config(cfg)
    check_config(cfg)
    check_trainer(cfg)
    if cfg.get("init") and not resumed:
        find_checkpoint(Path(cfg.init), "init")
    return cfg, config


def _is_settled(before: Outcome, run_dir: Path, own: str | None, cfg: DictConfig) -> bool:
    """Whether the run in a folder has come to its end; a UsageError if it has failed, and failed ones are left."""
    if before.status == "failed" and not cfg.retry_failed:
        raise UsageError(f"{run_dir} has failed before and is left, as retry_failed=false: {before.error}")
    if before.is_settled(own):
        log.info("%s is complete: nothing is left to do.", run_dir)
    return before.is_settled(own)


def _overrides(typed: Sequence[str] | None, before: Outcome | None) -> dict[str, Any]:
    """All that was typed for a run, also before it went on, for who wants to repeat it."""
    known = before.summary.get("overrides") if before else []
    if not isinstance(known, list) or typed is None:
        return {}
    return {"overrides": list({str(text).partition("=")[0]: str(text) for text in [*known, *typed]}.values())}


def _build(cfg: DictConfig, config: Any, resumed: Resumption | None, signals: Signals) -> tuple[Any, Any, Any]:
    """Trainer, model and data of a configuration, the latter set up once all else is found good."""
    run_dir = Path(cfg.paths.run_dir)
    keep_freed_memory()
    know_there_is_no_gpu()
    allow_tf32(cfg.get("tf32", False))
    leave_group_at_exit()
    say_where_it_crashed()
    seed_everything(cfg.seed, workers=True, verbose=False)
    metrics = CSVLogger(str(run_dir))
    loggers = [metrics, *(tolerant(build(node)) for node in (cfg.get("logger") or {}).values())]
    with explain_damage(resumed.checkpoint) if resumed else nullcontext():  # its model and data are its own
        datamodule = build(cfg.data)
        if learn_labels(cfg, config, datamodule):
            open_run_folder(run_dir, config, again=True)
        check_size(cfg)
        model = build(cfg.model)
        try_optimizers(model)
        check_shapes(model)
    if cfg.get("init") and not resumed:
        start_from(model, cfg.init)
    own = [ResumeState(config, metrics.flush), Validation(), signals]
    callbacks = [*own, *(build(node) for node in cfg.callbacks.values())]
    for logger in loggers:  # a run writes again what it has written after the checkpoint from which it goes on
        if isinstance(logger, CSVLogger):
            logger.keep(*((resumed.n_rows, resumed.n_steps) if resumed else (0, 0)))
        elif isinstance(logger, TensorBoardLogger) and resumed:
            purge_events(logger, resumed.n_steps)
    trainer = build(cfg.trainer, _convert_="all", callbacks=callbacks, logger=loggers, **_only(callbacks))
    pass_over_idle_hooks(trainer.callbacks)
    signals.launcher = trainer.strategy.launcher
    datamodule.setup()  # before Lightning starts processes, which find it prepared
    check_prior(cfg, model, len(datamodule.images("train")))
    if resumed:
        explain_restoring(trainer, resumed.checkpoint)
        with explain_damage(resumed.checkpoint):
            datamodule.load_state_dict(resumed.images)
    for logger in loggers:
        logger.log_hyperparams(config)
    log.info("%s on %s, run folder %s", type(model).__name__, datamodule.name, run_dir)
    if resumed:
        log.info("Resumed after step %d from %s", resumed.n_steps, resumed.checkpoint)
    return trainer, model, datamodule


def _finish_wandb(loggers: Sequence[Any]) -> None:
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.finish()


def _only(callbacks: list[Callback]) -> dict[str, bool]:
    """Keep Lightning from adding checkpoints and a progress bar of its own where the configuration has none."""
    return {
        "enable_checkpointing": any(isinstance(callback, Checkpoint) for callback in callbacks),
        "enable_progress_bar": any(isinstance(callback, ProgressBar) for callback in callbacks),
    }
