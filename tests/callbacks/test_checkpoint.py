"""Which checkpoints are written when."""

import pytest
from lightning.pytorch import Callback
from settings import TINY, config

from genlab.callbacks import Checkpoint
from genlab.callbacks.exact import ExactState
from genlab.errors import UsageError
from genlab.runs.build import build
from genlab.runs.load import read_checkpoint


class Scorer(Callback):
    """Gives the scores of a list, one an epoch."""

    score_key = "val/score"

    def __init__(self, scores):
        self.scores, self.score, self.protocol = iter(scores), None, {}

    def on_validation_epoch_end(self, trainer, pl_module):
        self.score = next(self.scores)


def fit(tmp_path, *overrides, scores=(), **options):
    cfg = config(*TINY, "model=gan", *overrides)
    callbacks = [
        ExactState({}),
        Checkpoint(str(tmp_path), **options),
        *([Scorer(scores)] if scores else []),
    ]
    trainer = build(cfg.trainer, callbacks=callbacks, logger=False)
    trainer.progress_bar_callback.disable()
    trainer.fit(build(cfg.model), build(cfg.data))


def test_best_is_the_epoch_of_the_lowest_score_and_last_and_previous_are_the_last_two(tmp_path):
    fit(tmp_path, "trainer.max_epochs=4", scores=[3.0, 1.0, None, 2.0])
    epochs = {path.stem: read_checkpoint(path)["epoch"] for path in tmp_path.glob("*.ckpt")}
    assert epochs == {"best": 1, "last": 3, "previous": 2}


def test_without_a_score_there_is_a_last_and_no_best(tmp_path):
    fit(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_score_that_is_not_a_number_never_becomes_the_best(tmp_path):
    fit(tmp_path, "trainer.max_epochs=2", scores=[float("nan"), 5.0])
    assert read_checkpoint(tmp_path / "best.ckpt")["epoch"] == 1


def test_step_based_checkpoints_count_batches_also_for_a_gan(tmp_path):
    steps = []

    class Spy(Checkpoint):
        def _save(self, trainer, name):
            steps.append(trainer.global_step)

    cfg = config(*TINY, "model=gan", "trainer.max_epochs=2")
    trainer = build(cfg.trainer, callbacks=[Spy(str(tmp_path), every_n_epochs=2, every_n_steps=3)], logger=False)
    trainer.progress_bar_callback.disable()
    trainer.fit(build(cfg.model), build(cfg.data))
    assert steps == [3, 6, 8]  # every third of the eight batches, and the end


@pytest.mark.parametrize("options", [{"every_n_epochs": 0}, {"every_n_steps": 0}])
def test_impossible_intervals_are_refused(options):
    with pytest.raises(UsageError, match=next(iter(options))):
        Checkpoint("unused", **options)
