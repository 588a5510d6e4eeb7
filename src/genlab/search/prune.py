"""Ends a trial of a search whose score lags behind that of the others."""

import logging
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from genlab.errors import UsageError
from genlab.trainer.schedule import is_ending, newest_score, scorer, why_unscored

log = logging.getLogger(__name__)


class Prune(Callback):
    """Hands every new score to the study of a search, and stops training if the pruner says so.

    The sweeper adds it (`hydra/sweeper/pruner`). At the end of training nobody is asked. Once the trial is over in the
    study, or the study is gone, the callback does nothing: such a run can be resumed like any other.

    Args:
        study: the study's file.
        trial: the number of the trial in it.
        pruner: of Optuna.
    """

    def __init__(self, study: str, trial: int, pruner: Any) -> None:
        self.file, self.number, self.pruner = Path(study), trial, pruner
        self.pruned = False
        self._study: Any = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse a run that nobody scores."""
        if reason := why_unscored(trainer):
            raise UsageError(f"hydra.sweeper.pruner goes by the score, and there will be none: {reason}.")

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the study, on the first process alone."""
        if trainer.is_global_zero and self.file.is_file():
            from genlab.search.study import NAME, Study, open_journal

            study = Study(NAME, open_journal(self.file), pruner=self.pruner)
            open_trials = [trial.number for trial in study.known() if not trial.state.is_finished()]
            self._study = study if self.number in open_trials else None
        if trainer.is_global_zero and self._study is None:
            log.warning("%s has no trial %d that is open: nothing is pruned.", self.file, self.number)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ask, if there is a new score."""
        who = scorer(trainer)
        newest = newest_score(trainer) if who and who.score is not None else None
        if trainer.state.fn != TrainerFn.FITTING or newest is None:
            return
        epoch, score, is_hopeless = trainer.current_epoch + 1, newest[1], False
        if self._study is not None:
            self._study.report(self.number, epoch, score)  # once an epoch, also if the run is resumed
            is_hopeless = bool(self.pruner.prune(self._study, self._study.trials[self.number]))
        if trainer.strategy.broadcast(is_hopeless and not is_ending(trainer)):
            self.pruned = trainer.should_stop = True
            log.info("Pruned after epoch %d: the score of %.4g lags behind the other trials.", epoch, score)
