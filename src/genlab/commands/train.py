"""Training: from a configuration to a run folder."""

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch import Callback, seed_everything
from lightning.pytorch.callbacks import Checkpoint, ProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import DictConfig

from genlab.commands.machine import check_machine, keep_freed_memory, quieten, say_where_it_crashed
from genlab.commands.memory import check_size, explain_memory_errors
from genlab.commands.optimisers import try_optimizers
from genlab.commands.resume import Resumption, resumption
from genlab.commands.shapes import check_shapes
from genlab.commands.trainer_arguments import check_trainer, explain_refusals
from genlab.config.build import build, check_config
from genlab.config.keys import check_keys
from genlab.config.record import as_typed, record_config
from genlab.distributed import leave_group_at_exit
from genlab.errors import UsageError
from genlab.loggers import CSVLogger, WandbLogger, tolerant
from genlab.run.checkpoint import explain_damage
from genlab.run.folder import lock_run, open_run_folder, put_back_unless, record_run, update_summary
from genlab.run.identity import fingerprint, read_outcome, run_folder
from genlab.trainer.internals import purge_events
from genlab.trainer.resume_state import ResumeState, explain_restoring
from genlab.trainer.schedule import Validation, newest_score
from genlab.trainer.signals import Signals

log = logging.getLogger(__name__)


def train(cfg: DictConfig, typed: Sequence[str] | None = None) -> float | None:
    """Train the model of a configuration and leave a run folder behind, or go on with a run (`resume`).

    With `resume=auto`, which the cells of a sweep have, a run that is complete is left as it is.

    Args:
        cfg: the configuration.
        typed: the overrides of the command line, which a resumed run applies to its own configuration; Hydra knows.

    Returns:
        The newest score, lower being better, for a sweeper to minimise; None if nothing scores.

    Raises:
        UsageError: for any input that can't work, before training starts.
        SystemExit: with 128 and the signal's number, if the run was stopped by one.
    """
    quieten()
    if HydraConfig.initialized():
        typed = as_typed(HydraConfig.get().overrides.task) if typed is None else typed
        _make_cell(cfg)
    automatic = cfg.get("resume") == "auto"
    own: str | None = fingerprint(cfg)  # as it was typed, as the launcher of a sweep knows it
    check = check_keys if cfg.get("resume") and not automatic else check_config  # a resumed run has a model of its own
    check(cfg, keep_references=True)
    run_dir = run_folder(cfg.resume) if cfg.get("resume") and not automatic else Path(cfg.paths.run_dir)
    with lock_run(run_dir, seconds=30 if automatic else 0):
        if automatic and _is_settled(run_dir, own, cfg):
            return read_outcome(run_dir).score
        resumed = resumption(cfg, typed or [])
        if resumed and resumed.is_complete:
            update_summary(run_dir, status="completed", error=None)  # it was killed just before it could say so
            return read_outcome(run_dir).score
        if resumed and not automatic:
            own = None if resumed.is_changed else read_outcome(run_dir).summary.get("fingerprint")
        known = {"fingerprint": own} | _typed(typed, run_dir if resumed else None)
        signals = Signals()
        goes_on_after_its_end = resumed is not None and read_outcome(run_dir).is_final
        with put_back_unless(lambda: signals.has_begun, run_dir) if goes_on_after_its_end else nullcontext():
            return _fit(resumed.config if resumed else cfg, resumed, known, signals)


def _make_cell(cfg: DictConfig) -> None:
    """Have a cell that another launcher than ours runs go on with what is in its folder."""
    hydra = HydraConfig.get()
    if hydra.mode == RunMode.MULTIRUN:
        cfg.resume = cfg.resume or "auto"
        cfg.sweep = Path(hydra.sweep.dir).name


def _is_settled(run_dir: Path, own: str | None, cfg: DictConfig) -> bool:
    """Whether the run in a folder has come to its end.

    Raises:
        UsageError: if it has failed, and failed ones are to be left.
    """
    known = read_outcome(run_dir)
    if known.status == "failed" and not cfg.retry_failed:
        raise UsageError(f"{run_dir} has failed before and is left, as retry_failed=false: {known.error}")
    settled = known.is_final and known.summary.get("fingerprint") == own
    if settled:
        log.info("%s is complete: nothing is left to do.", run_dir)
    return settled


def _typed(typed: Sequence[str] | None, before: Path | None) -> dict[str, Any]:
    """All that was typed for a run, for who wants to repeat it: also what was typed `before` it went on."""
    known = read_outcome(before).summary.get("overrides") if before else []
    if not isinstance(known, list) or typed is None:
        return {}
    return {"overrides": list({str(text).partition("=")[0]: str(text) for text in [*known, *typed]}.values())}


def _fit(cfg: DictConfig, resumed: Resumption | None, known: dict[str, Any], signals: Signals) -> float | None:
    run_dir = Path(cfg.paths.run_dir)
    check_machine(cfg.trainer)
    config = record_config(cfg)
    check_config(cfg)
    check_trainer(cfg)
    keep_freed_memory()
    leave_group_at_exit()
    open_run_folder(run_dir, config, again=resumed is not None or cfg.get("resume") == "auto")
    say_where_it_crashed()
    with (
        record_run(run_dir, resumed is not None, **known) as ending,
        explain_memory_errors(cfg),
        signals.installed(run_dir),
    ):
        seed_everything(cfg.seed, workers=True, verbose=False)
        metrics = CSVLogger(str(run_dir))
        loggers = [metrics, *(tolerant(build(node)) for node in (cfg.get("logger") or {}).values())]
        with explain_damage(resumed.checkpoint) if resumed else nullcontext():  # its model and data are its own
            datamodule = build(cfg.data)
            check_size(cfg)
            model = build(cfg.model)
            try_optimizers(model)
            check_shapes(model)
        callbacks = [
            ResumeState(config, metrics.flush),
            Validation(),
            signals,
            *(build(node) for node in cfg.callbacks.values()),
        ]
        _go_on(loggers, resumed)
        trainer = build(cfg.trainer, _convert_="all", callbacks=callbacks, logger=loggers, **_only(callbacks))
        signals.launcher = trainer.strategy.launcher
        datamodule.setup()  # once all else is found good; before Lightning starts processes, which find it prepared
        if resumed:
            explain_restoring(trainer, resumed.checkpoint)
            with explain_damage(resumed.checkpoint):
                datamodule.load_state_dict(resumed.images)
        for logger in loggers:
            logger.log_hyperparams(config)
        _announce(run_dir, model, datamodule, resumed)
        try:
            with explain_refusals():
                trainer.fit(model, datamodule, ckpt_path=resumed and str(resumed.checkpoint), weights_only=True)
        except SIGTERMException:
            signals.leave()
        finally:
            _finish_wandb(loggers)
        if any(getattr(callback, "pruned", False) for callback in callbacks):
            ending["status"] = "pruned"
        newest = newest_score(trainer)
        return newest[1] if newest else None


def _go_on(loggers: list[Any], resumed: Resumption | None) -> None:
    """Have loggers forget what a run has written after the checkpoint from which it goes on: it writes that again."""
    for logger in loggers:
        if isinstance(logger, CSVLogger):
            logger.keep(*((resumed.n_rows, resumed.n_steps) if resumed else (0, 0)))
        elif isinstance(logger, TensorBoardLogger) and resumed:
            purge_events(logger, resumed.n_steps)


def _announce(run_dir: Path, model: Any, datamodule: Any, resumed: Resumption | None) -> None:
    log.info("%s on %s, run folder %s", type(model).__name__, datamodule.name, run_dir)
    if resumed:
        log.info("Resumed after step %d from %s", resumed.n_steps, resumed.checkpoint)


def _only(callbacks: list[Callback]) -> dict[str, bool]:
    """Keep Lightning from adding checkpoints and a progress bar of its own where the configuration has none."""
    return {
        "enable_checkpointing": any(isinstance(callback, Checkpoint) for callback in callbacks),
        "enable_progress_bar": any(isinstance(callback, ProgressBar) for callback in callbacks),
    }


def _finish_wandb(loggers: list[Any]) -> None:
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.finish()
