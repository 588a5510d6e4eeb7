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
        setattr(logger, name, _surviving(getattr(logger, name), logger))
    return logger


def _surviving(method: Callable[..., Any], logger: Any) -> Callable[..., Any]:
    what = f"{type(logger).__name__}.{method.__name__}"

    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        with warn_on_failure(what, Exception):
            try:
                return method(*args, **kwargs)
            except Exception:
                if isinstance(logger, TensorBoardLogger):
                    forget_events(logger)
                raise

    return call


class Nothing:
    """Takes any call and does nothing: stands in for a W&B run that there is not."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self
