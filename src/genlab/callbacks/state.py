"""What callbacks ask of the trainer: whether it is time to act, and who scores."""

from lightning.pytorch import Trainer
from lightning.pytorch.trainer.states import TrainerFn

from genlab.callbacks.signals import Signals
from genlab.protocols import Scores


def is_due(trainer: Trainer, every_n_epochs: int) -> bool:
    """Whether the epoch that is ending is an n-th one or the last; always outside of training."""
    if trainer.state.fn != TrainerFn.FITTING:
        return True
    epoch = trainer.current_epoch + 1
    return epoch % every_n_epochs == 0 or epoch == trainer.max_epochs or trainer.should_stop


def scorer(trainer: Trainer) -> Scores | None:
    """The callback by whose score runs and checkpoints are ranked: the first that has one."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    return next((callback for callback in callbacks if isinstance(callback, Scores)), None)


def newest_score(trainer: Trainer) -> tuple[str, float] | None:
    """Key and value of the latest score; None before the first."""
    who = scorer(trainer)
    value = trainer.callback_metrics.get(who.score_key) if who else None
    return None if who is None or value is None else (who.score_key, value.item())


def signals(trainer: Trainer) -> Signals | None:
    """The callback that notes signals; None where there is none."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    return next((callback for callback in callbacks if isinstance(callback, Signals)), None)


def must_stop(trainer: Trainer) -> bool:
    """Whether a signal has asked this process to stop."""
    noted = signals(trainer)
    return trainer.received_sigterm or (noted is not None and noted.stop != 0)
