"""What others need of private state, as of Lightning 2.6.6 and PyTorch 2.14.1, and the tests that notice a change."""

from collections.abc import Iterable, Mapping
from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor

OF_A_STEP = (
    "on_train_batch_start",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
    "on_train_batch_end",
)


def pass_over_idle_hooks(callbacks: Iterable[Any]) -> None:
    """Have Lightning leave callbacks out where they have nothing to do at a step: it calls what can be called.

    Each call of nothing costs microseconds, of which a dozen callbacks and a GAN's eight hooks make a fifth of a
    millisecond.
    """
    for callback in callbacks:
        for name in OF_A_STEP:  # trainer/test_internals.py
            if getattr(getattr(callback, name), "__func__", None) is getattr(Callback, name):
                setattr(callback, name, None)


def loggers_are_due(trainer: Trainer) -> bool:
    """Whether the loggers write at this step, by `trainer.log_every_n_steps`."""
    return bool(trainer._logger_connector.should_update_logs)  # models/test_records.py


def log_row(trainer: Trainer, values: Mapping[str, Tensor]) -> None:
    """Hand scalars to all loggers in one row, and to callbacks.

    `LightningModule.log` costs about a millisecond a call: as much as the step of a small network.
    """
    trainer.callback_metrics.update(values)
    trainer._logger_connector.log_metrics(dict(values))  # models/test_records.py


def is_last_accumulation(trainer: Trainer) -> bool:
    """Whether no gradient of the batch that ends waits for those of more batches."""
    return not trainer.fit_loop._should_accumulate()  # callbacks/test_guard.py


def make_checkpoint(trainer: Trainer) -> dict[str, Any]:
    """All of a checkpoint, not yet written. To be called on all processes."""
    return trainer._checkpoint_connector.dump_checkpoint(weights_only=False)  # callbacks/test_checkpoint.py


def forget_events(logger: TensorBoardLogger) -> None:
    """After its thread has died by an error: the next call begins another file."""
    logger._experiment = None  # run/test_full_disk.py


def purge_events(logger: TensorBoardLogger, step: int) -> None:
    """Have TensorBoard forget what was written from a step on, before its first file is opened."""
    logger._kwargs["purge_step"] = step  # run/test_full_disk.py


def keep_compiled_graphs() -> None:
    """Have compiled networks keep what they have computed, so that `retain_graph=True` works on them."""
    from torch._functorch import config  # which is not imported with torch in every version

    config.donated_buffer = False  # models/test_composition.py
