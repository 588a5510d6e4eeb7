"""Loggers whose errors end no run."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.loggers.logger import Logger

from genlab.files import warn_on_failure
from genlab.trainer.internals import forget_events

METHODS = ("log_metrics", "log_hyperparams", "log_graph", "save", "finalize", "after_save_checkpoint")


def tolerant(logger: Logger) -> Logger:
    """Have the errors of a logger pass, said once: what it shows is lost, and `metrics.csv` has it.

    Of any kind: each logger's network has errors of its own.
    """
    for name in METHODS:
        setattr(logger, name, _tolerant(getattr(logger, name), logger))
    return logger


def _tolerant(method: Callable[..., Any], logger: Logger) -> Callable[..., Any]:
    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        with warn_on_failure(f"{type(logger).__name__}.{method.__name__}", Exception):
            try:
                return method(*args, **kwargs)
            except Exception:
                if isinstance(logger, TensorBoardLogger):
                    forget_events(logger)
                raise

    return call
