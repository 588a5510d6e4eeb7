"""When a callback acts."""

from lightning.pytorch import Trainer
from lightning.pytorch.trainer.states import TrainerFn


def is_due(trainer: Trainer, every_n_epochs: int) -> bool:
    """Whether the epoch that is ending is an n-th one or the last; always outside of training."""
    if trainer.state.fn != TrainerFn.FITTING:
        return True
    epoch = trainer.current_epoch + 1
    return epoch % every_n_epochs == 0 or epoch == trainer.max_epochs or trainer.should_stop
