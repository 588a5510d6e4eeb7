"""What callbacks ask of the trainer: is it time, does training end, who scores; and the validation at its end."""

import logging
from math import ceil
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from genlab.protocols import Scores
from genlab.trainer.signals import Signals

log = logging.getLogger(__name__)


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


def count_batches(trainer: Trainer) -> tuple[int | None, int]:
    """How many batches a run trains on, and how often it validates, by its limits and its steps a batch until now.

    None if nothing limits it.
    """
    loop, an_epoch = trainer.fit_loop, int(trainer.num_training_batches)
    limits = [loop.max_epochs * an_epoch] if loop.max_epochs is not None and loop.max_epochs >= 0 else []
    if trainer.max_steps >= 0:
        limits.append(ceil(trainer.max_steps * (loop.total_batch_idx + 1) / max(1, trainer.global_step)))
    if not limits:
        return None, 0
    every: Any = trainer.val_check_batch or an_epoch
    if trainer.check_val_every_n_epoch is not None:
        every = min(every, an_epoch) * trainer.check_val_every_n_epoch
    return min(limits), max(1, int(min(limits) / max(1, every)))


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


class Validation(Callback):
    """Has every run end with a validation.

    Lightning validates where `check_val_every_n_epoch` and `val_check_interval` say so, which may not be at the end.
    Here it also does after the last batch, whatever makes it the last one. Where that is known only after its own
    validation (early stopping by what was validated) and nothing was scored in that one, there is another.
    """

    def __init__(self) -> None:
        self._first_step = 0  # of this start
        self._validated: tuple[int, bool] = (-1, False)  # after which step, and whether as the last one

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Have Lightning validate at the end too, and say so if it can't."""
        if stage != "fit":
            return
        loop: Any = trainer.fit_loop.epoch_loop
        epoch_is_due, batch_is_due = loop._should_check_val_epoch, loop._should_check_val_fx

        def at_the_end() -> bool:
            return trainer.enable_validation and is_ending(trainer)

        loop._should_check_val_epoch = lambda: epoch_is_due() or at_the_end()
        loop._should_check_val_fx = lambda fetcher: batch_is_due(fetcher) or at_the_end()
        if trainer.is_global_zero and (reason := why_unvalidated(trainer)):
            log.warning("%s: the run ends without a validation, so without a score and pictures.", reason)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._first_step = trainer.global_step

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note what was validated, before early stopping looks at it."""
        self._validated = (trainer.global_step, is_ending(trainer))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Validate once more if it was not known that the newest validation was the last one."""
        if trainer.global_step == self._first_step:
            if trainer.global_step == 0 and trainer.is_global_zero:
                log.warning("The run has ended before its first step: there is nothing to validate.")
            return
        step, was_last = self._validated
        scores = scorer(trainer)
        is_measured = was_last if scores is None else scores.score is not None
        if trainer.enable_validation and not (is_measured and step == trainer.global_step):
            validate_again(trainer)


def validate_again(trainer: Any) -> None:
    """Validate as after the last batch: the epoch counts as not yet complete, and the step is the same."""
    loop = trainer.fit_loop.epoch_loop
    trainer.fit_loop.epoch_progress.current.completed -= 1
    loop._batches_that_stepped -= 1
    trainer.validating = True
    loop.val_loop.run()
    trainer.training = True
    loop._batches_that_stepped += 1
    trainer.fit_loop.epoch_progress.current.completed += 1
