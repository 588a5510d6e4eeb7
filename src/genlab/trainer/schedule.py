"""What callbacks ask of the trainer: whether it is time to act, whether training ends, and which of them scores."""

from math import ceil
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.trainer.states import TrainerFn

from genlab.protocols import Scores
from genlab.trainer.signals import Signals


def is_ending(trainer: Trainer) -> bool:
    """Whether no batch follows the one that was trained on last, by all that is known so far."""
    loop: Any = trainer.fit_loop
    epochs = trainer.current_epoch + loop.epoch_loop._num_ready_batches_reached()  # complete ones
    if 0 <= trainer.max_steps <= trainer.global_step or 0 <= loop.max_epochs <= epochs:
        return True
    return trainer.should_stop and epochs >= (loop.min_epochs or 0) and trainer.global_step >= (loop.min_steps or 0)


def is_due(trainer: Trainer, every_n_epochs: int) -> bool:
    """Whether the current epoch is an n-th one or the last; always outside of training."""
    if trainer.state.fn != TrainerFn.FITTING:
        return True
    return (trainer.current_epoch + 1) % every_n_epochs == 0 or is_ending(trainer)


def is_measured(trainer: Trainer, every_n_epochs: int) -> bool:
    """Whether a validation lies in an n-th epoch, is the first one after it, or the last of the run.

    Where validations go by the clock it is each of them. Lightning's sanity check is none.
    """
    if trainer.sanity_checking:
        return False
    if is_due(trainer, every_n_epochs) or trainer.val_check_batch is None:
        return True
    epoch = trainer.current_epoch + 1
    if trainer.check_val_every_n_epoch is not None:  # when the validation before was, by the trainer's arguments
        before = epoch - trainer.check_val_every_n_epoch
    else:
        batches: Any = trainer.fit_loop.total_batch_idx + 1 - trainer.val_check_batch
        before = ceil(batches / trainer.num_training_batches)
    return epoch // every_n_epochs > max(0, before) // every_n_epochs


def why_unvalidated(trainer: Trainer) -> str | None:
    """Why a run will end without a validation, by the trainer's arguments; None if it ends with one."""
    for name in ("max_epochs", "max_steps", "limit_train_batches"):
        if getattr(trainer, name) == 0:
            return f"trainer.{name}=0 leaves nothing to train"
    return "trainer.limit_val_batches=0 leaves nothing to validate" if trainer.limit_val_batches == 0 else None


def why_unscored(trainer: Trainer) -> str | None:
    """Why a run will end without a score; None if it ends with one."""
    return why_unvalidated(trainer) or (None if scorer(trainer) else "nothing scores: keep callbacks.frechet")


def scorer(trainer: Trainer) -> Scores | None:
    """The callback by whose score runs and checkpoints are ranked: the first that has one."""
    return next((callback for callback in trainer.callbacks if isinstance(callback, Scores)), None)  # type: ignore[attr-defined]


def newest_score(trainer: Trainer) -> tuple[str, float] | None:
    """Key and value of the latest score; None before the first."""
    scores = scorer(trainer)
    value = trainer.callback_metrics.get(scores.score_key) if scores else None
    return None if scores is None or value is None else (scores.score_key, value.item())


def signals(trainer: Trainer) -> Signals:
    """The callback that notes signals; one that has noted nothing where a trainer has none."""
    return next((callback for callback in trainer.callbacks if isinstance(callback, Signals)), Signals())  # type: ignore[attr-defined]


def must_stop(trainer: Trainer) -> bool:
    """Whether a signal has asked this process to stop."""
    return trainer.received_sigterm or signals(trainer).stop != 0
