"""Lightning's own arguments: those that would break what is built here are refused, with the key to use instead."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hydra.utils import get_object
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import SingleDeviceStrategy
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig

from genlab.bounds import NonNegativeFloat, NonNegativeInt, PositiveInt
from genlab.commands.machine import check_devices, has_several_processes
from genlab.config.values import convert, text
from genlab.errors import UsageError, one_line, unknown
from genlab.models.adversarial import AdversarialModel
from genlab.trainer.strategy import DDP

INSTEAD = {  # arguments that are other keys here, but for the values that change nothing
    "logger": "type logger=tensorboard, logger=wandb or logger=none; metrics.csv is written whatever stands there",
    "callbacks": "type +callbacks.NAME._target_=CLASS for another one, ~callbacks.NAME for one less, callbacks=none",
    "enable_checkpointing": "type ~callbacks.checkpoint, or callbacks.checkpoint.every_n_epochs=N for fewer of them",
    "enable_progress_bar": "type ~callbacks.progress",
    "default_root_dir": "type hydra.run.dir=PATH",
    "barebones": "type callbacks=none",
    "use_distributed_sampler": "leave it out, as the data module's own sampler knows its process",
}
HARMLESS = {  # of these it is not Lightning's default
    "enable_checkpointing": True,
    "enable_progress_bar": True,
    "use_distributed_sampler": False,
    "gradient_clip_val": 0,
}
BY_HAND = {  # for models that step their optimisers by hand, which Lightning leaves alone
    "gradient_clip_val": "type +model.clip.discriminator=1, the largest norm for each player",
    "gradient_clip_algorithm": "type +model.clip.discriminator=1, the largest norm for each player",
    "accumulate_grad_batches": "type model.accumulate={value}",
}
LATE = {  # what other errors say, and what to type
    "`val_check_interval`": "trainer.val_check_interval is more than the batches of an epoch: type a smaller one",
    "deterministic implementation": "trainer.deterministic=true is more than these networks can: type "
    "trainer.deterministic=warn",
    "does not allow for gradient clipping": "trainer.gradient_clip_val with trainer.precision=16-mixed needs a plain "
    "optimiser: type model.optimizer.fused=false",
}
BOUNDED = {  # numbers that Lightning divides by, or takes for others, without a look at them
    "accumulate_grad_batches": PositiveInt,
    "check_val_every_n_epoch": PositiveInt,
    "val_check_interval": PositiveInt,
    "log_every_n_steps": NonNegativeInt,
    "gradient_clip_val": NonNegativeFloat,
    "overfit_batches": NonNegativeInt,
}
PRECISIONS = ("32-true", "32", "16-mixed", "16", "bf16-mixed", "bf16")
PROFILERS = {
    "simple": "lightning.pytorch.profilers.SimpleProfiler",
    "advanced": "lightning.pytorch.profilers.AdvancedProfiler",
    "pytorch": "lightning.pytorch.profilers.PyTorchProfiler",
}


def check_trainer(cfg: DictConfig) -> None:
    """Refuse what the trainer of a checked configuration can't do, with a UsageError that names the key to use instead.

    What Lightning would choose otherwise is set in place.
    """
    trainer: Any = cfg.trainer
    _check_other_keys(cfg)
    if (precision := trainer.get("precision")) is not None and str(precision) not in PRECISIONS:
        raise UsageError(
            f"trainer.precision={precision} is not possible: images, losses and scores are float32 here. Type "
            f"trainer.precision=bf16-mixed; also possible: {', '.join(PRECISIONS)}."
        )
    for name, kind in BOUNDED.items():
        value = trainer.get(name)  # val_check_interval may be a share of an epoch, which Lightning looks at
        if isinstance(value, int) or (isinstance(value, float) and name != "val_check_interval"):
            convert(f"trainer.{name}", value, kind)
    check_devices(trainer)
    _choose_strategy(trainer)
    _try_out(cfg)
    if isinstance(profiler := trainer.get("profiler"), str):
        if profiler not in PROFILERS:
            raise UsageError(unknown("value of trainer.profiler", profiler, list(PROFILERS)))
        place = {"dirpath": trainer.get("default_root_dir"), "filename": "profile"}
        trainer.profiler = {"_target_": PROFILERS[profiler], **place}


def _check_other_keys(cfg: DictConfig) -> None:
    """Refuse arguments that say what another key says here."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(Trainer).parameters.items()} | HARMLESS
    defaults["default_root_dir"] = cfg.paths.run_dir
    adversarial = issubclass(get_object(cfg.model._target_), AdversarialModel)
    for name, remedy in {**INSTEAD, **(BY_HAND if adversarial else {})}.items():
        value = cfg.trainer.get(name)
        if value not in (None, defaults[name]):
            raise UsageError(f"trainer.{name}={text(value)} is not possible here: {remedy.format(value=value)}.")


def _try_out(cfg: DictConfig) -> None:
    """Have what Lightning would do without loggers, callbacks and checkpoints done with them.

    `fast_dev_run` trains and validates on so many batches, `overfit_batches` trains on the images of so many.
    """
    trainer = cfg.trainer
    if n := int(trainer.get("fast_dev_run") or 0):
        limits = dict.fromkeys(("limit_train_batches", "limit_val_batches"), n)
        trainer.update(max_epochs=1, log_every_n_steps=1, val_check_interval=None, fast_dev_run=False, **limits)
    if n := trainer.get("overfit_batches") or 0:
        cfg.data.limit = min(n * cfg.data.batch_size, cfg.data.get("limit") or n * cfg.data.batch_size)
        trainer.overfit_batches = 0


def _choose_strategy(trainer: DictConfig) -> None:
    """Take this project's DDP wherever Lightning would take its own: it steps several optimisers, and ends with all."""
    strategy = trainer.get("strategy", "auto")
    target = get_object(strategy._target_) if isinstance(strategy, DictConfig) else None
    if strategy == "ddp" or (strategy == "auto" and has_several_processes(trainer)):
        trainer.strategy = {"_target_": f"{DDP.__module__}.{DDP.__qualname__}"}
    elif strategy != "auto" and not (target and issubclass(target, DDP | SingleDeviceStrategy)):
        raise UsageError(
            f"trainer.strategy={strategy} is not possible: models with several optimisers work with DDP alone. Type "
            "trainer=ddp for every GPU, or trainer=gpu for one."
        )


@contextmanager
def explain_refusals() -> Iterator[None]:
    """Say in one sentence what Lightning and PyTorch refuse only when they see model and data; raises a UsageError."""
    try:
        yield
    except MisconfigurationException as error:
        raise UsageError(f"The trainer can't do this: {one_line(error)}") from error
    except (RuntimeError, ValueError) as error:
        said = one_line(error)
        for sign, remedy in LATE.items():
            if sign in said:
                raise UsageError(f"{remedy} ({said})") from error
        raise
