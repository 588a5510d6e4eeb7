"""When a run validates: always at its end."""

import logging
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from genlab.trainer.schedule import is_ending, scorer, why_unvalidated

log = logging.getLogger(__name__)


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
            _validate(trainer)


def _validate(trainer: Any) -> None:
    """Validate as after the last batch: the epoch counts as not yet complete, and the step is the same."""
    loop = trainer.fit_loop.epoch_loop
    trainer.fit_loop.epoch_progress.current.completed -= 1
    loop._batches_that_stepped -= 1
    trainer.validating = True
    loop.val_loop.run()
    trainer.training = True
    loop._batches_that_stepped += 1
    trainer.fit_loop.epoch_progress.current.completed += 1
