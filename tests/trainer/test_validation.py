"""When a run validates, and who takes part."""

import pytest
from brightness import Brightness
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import EarlyStopping
from small_training import trained

from genlab.callbacks import FrechetDistance
from genlab.trainer.schedule import Validation


class Remember(FrechetDistance):
    """Notes epoch and step of each score instead of measuring."""

    def __init__(self, every_n_epochs: int) -> None:
        super().__init__(Brightness(), every_n_epochs=every_n_epochs)
        self.measured: list[tuple[int, int]] = []
        self.validations: list[int] = []

    def on_validation_start(self, trainer, pl_module):
        if not trainer.sanity_checking:
            self.validations.append(trainer.global_step)

    def _measure(self, trainer, pl_module):
        self.measured.append((trainer.current_epoch + 1, trainer.global_step))
        return 0.0


def scored(every_n_epochs: int, *overrides: str, more: tuple[Callback, ...] = ()) -> Remember:
    """Train on four batches an epoch."""
    remember = Remember(every_n_epochs)
    trained("vae", *overrides, callbacks=[Validation(), remember, *more])
    return remember


@pytest.mark.parametrize(
    ("overrides", "every", "validations", "epochs"),
    [
        (["trainer.max_epochs=5"], 2, [4, 8, 12, 16, 20], [2, 4, 5]),
        (["trainer.check_val_every_n_epoch=3", "trainer.max_epochs=14"], 4, [12, 24, 36, 48, 56], [6, 9, 12, 14]),
        (
            ["trainer.check_val_every_n_epoch=null", "+trainer.val_check_interval=5", "trainer.max_epochs=6"],
            2,
            [5, 10, 15, 20, 24],
            [2, 4, 6],
        ),
        (["+trainer.val_check_interval=3", "trainer.max_epochs=2"], 1, [3, 7, 8], [1, 2, 2]),
        (["trainer.max_epochs=5", "trainer.max_steps=6", "trainer.check_val_every_n_epoch=9"], 99, [6], [2]),
        (["trainer.max_epochs=2", "trainer.num_sanity_val_steps=2"], 99, [4, 8], [2]),
    ],
)
def test_scores_are_measured_at_the_first_validation_after_n_epochs_and_at_the_end(
    overrides, every, validations, epochs
):
    remember = scored(every, *overrides)
    assert remember.validations == validations
    assert [epoch for epoch, _ in remember.measured] == epochs


def test_a_run_that_stops_early_by_its_validation_is_scored_after_the_same_step():
    stop = EarlyStopping("val/loss", stopping_threshold=1e9, verbose=False)
    remember = scored(99, "trainer.max_epochs=5", more=(stop,))
    assert remember.validations == [4, 4]
    assert remember.measured == [(1, 4)]


def test_a_run_that_stops_early_and_was_scored_is_not_validated_again():
    stop = EarlyStopping("val/loss", stopping_threshold=1e9, verbose=False)
    assert scored(1, "trainer.max_epochs=5", more=(stop,)).validations == [4]


def test_nothing_is_measured_in_the_sanity_check():
    remember = scored(1, "trainer.num_sanity_val_steps=1")
    assert remember.measured == [(1, 4)]
