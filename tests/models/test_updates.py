"""When the players move: after how many updates of D, and after which of the batches of an update."""

from collections import Counter

import pytest
import torch
from lightning.pytorch import Callback
from small_training import ADVERSARIAL, trained


class Diary(Callback):
    """Notes each backward pass with the updates of each player before it, and each step of a player with its batch."""

    def __init__(self) -> None:
        self.n_steps: Counter[str] = Counter()
        self.backward: list[tuple[str, int]] = []  # the player whose step comes next, and the updates of D before
        self.steps: list[tuple[str, int]] = []
        self._open = 0

    def on_before_backward(self, trainer, pl_module, loss):
        self._open += 1

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        optimizers = [wrapped.optimizer for wrapped in pl_module.optimizers()]
        player = list(pl_module.players())[optimizers.index(optimizer)]
        self.backward += self._open * [(player, self.n_steps["discriminator"])]
        self._open = 0
        self.steps.append((player, trainer.global_step))
        self.n_steps[player] += 1

    def of(self, player: str) -> list[int]:
        """Updates of D before each backward pass of a player."""
        return [n for name, n in self.backward if name == player]

    def moves(self, player: str) -> list[int]:
        """The batches, counted over the run from 0, at which a player has moved."""
        return [batch for name, batch in self.steps if name == player]


def others(name: str, diary: Diary) -> set[str]:
    return set(diary.n_steps) - {"discriminator"}


@pytest.mark.parametrize(("name", "d_steps"), [*((name, 3) for name in ADVERSARIAL), ("gan", 5)])
def test_d_steps_are_counted_over_the_epochs(name, d_steps):
    """An epoch has four batches: counted anew in each, five updates of D would never come together."""
    diary = Diary()
    trained(name, f"model.d_steps={d_steps}", "trainer.max_epochs=4", callbacks=[diary])
    assert diary.moves("discriminator") == list(range(16))
    assert others(name, diary)
    for player in others(name, diary):
        assert diary.moves(player) == list(range(d_steps - 1, 16, d_steps))


# Of encoder, decoder and autoencoder those that move before D, as their papers say.
BEFORE_D = {
    ("aae", "autoencoder"),
    ("vaegan", "encoder"),
    ("vaegan", "decoder"),
    ("klgan", "autoencoder"),
    ("vqgan", "autoencoder"),
}


@pytest.mark.parametrize(("name", "k"), [*((name, 2) for name in ADVERSARIAL), ("gan", 4)])
def test_the_other_players_see_one_and_the_same_d_in_all_batches_of_an_update(name, k):
    """All batches of D first, then those of the next player: with two of four, 1, 1, 2, 2 updates before G's."""
    diary = Diary()
    trained(name, f"model.accumulate={k}", callbacks=[diary])
    n_updates = 4 // k
    assert diary.of("discriminator") == [n for n in range(n_updates) for _ in range(k)]
    for player in others(name, diary):
        first = 0 if (name, player) in BEFORE_D else 1
        assert diary.of(player) == [n + first for n in range(n_updates) for _ in range(k)], player
    assert set(diary.n_steps.values()) == {n_updates}


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_both_together_count_updates_and_not_batches(name):
    diary = Diary()
    model, trainer = trained(name, "model.accumulate=2", "model.d_steps=2", "trainer.max_epochs=2", callbacks=[diary])
    assert diary.moves("discriminator") == [1, 3, 5, 7]
    assert all(diary.moves(player) == [3, 7] for player in others(name, diary))
    assert (model.n_updates, trainer.global_step, model.images_seen) == (4, 8, 128)


def test_what_is_left_at_the_end_of_an_epoch_makes_an_update_of_its_own():
    """Four batches an epoch by three: three and one, whose gradient is the mean over itself."""
    diary = Diary()
    trained("gan", "model.accumulate=3", "trainer.max_epochs=2", callbacks=[diary])
    assert diary.moves("discriminator") == [2, 3, 6, 7]
    assert diary.of("generator") == [1, 1, 1, 2, 3, 3, 3, 4]


class SameNoise(Callback):
    """All codes from the prior are ones, as a part of a batch draws a part of its noise."""

    def on_train_start(self, trainer, pl_module):
        pl_module.prior = lambda n, generator=None: torch.ones(n, pl_module.latent_dim)


# What draws no other noise, and mixes no images: without batch normalisation.
ALONE = {"gan": ("generator",), "aae": ("decoder",), "aegan": ("decoder",), "bigan": ("decoder",)}


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("size", [8, 4])
def test_an_update_in_parts_is_that_of_the_joint_batch_for_all_players(name, size):
    norms = [f"model.{network}.norm=null" for network in ALONE[name]]
    few = ("data.limit=16", *norms)
    joint, _ = trained(name, *few, "data.batch_size=16", callbacks=[SameNoise()], sgd=0.05)
    parts = (f"data.batch_size={size}", f"model.accumulate={16 // size}")
    split, _ = trained(name, *few, *parts, callbacks=[SameNoise()], sgd=0.05)
    start = trained(name, *few, "trainer.max_steps=0")[0].state_dict()
    for key, value in joint.state_dict().items():
        torch.testing.assert_close(value, split.state_dict()[key], atol=1e-6, rtol=1e-4, msg=key)
    moved = {key.split(".")[0] for key, value in joint.state_dict().items() if not torch.equal(value, start[key])}
    assert moved == {name for name, _ in joint.named_children()}


def test_of_several_parts_one_graph_of_the_generator_is_in_memory_at_a_time(monkeypatch):
    """That is what they are there for: G's images are made without gradients for D, and again for G's step."""
    made: list[tuple[int, bool]] = []

    class Watch(Callback):
        def on_fit_start(self, trainer, pl_module):
            decode = pl_module.decode

            def watched(z, y=None):
                images = decode(z, y)
                made.append((len(z), images.requires_grad))
                return images

            pl_module.decode = watched

    alone = "+trainer.limit_val_batches=0"
    trained("gan", alone, "model.accumulate=4", callbacks=[Watch()])
    assert made == 4 * [(16, False)] + 4 * [(16, True)]
    made.clear()
    trained("gan", alone, "trainer.max_steps=1", callbacks=[Watch()])
    assert made == [(16, True)]
    made.clear()
    trained("gan", alone, "trainer.max_steps=1", "model.d_steps=2", callbacks=[Watch()])
    assert made == [(16, False)]


def test_lazy_penalties_count_updates_of_d():
    """Of eight batches by two, four updates: R1 is due in the first and the third, batches 1 and 5."""
    due: list[int] = []

    class Look(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            if trainer.global_step % 2 == 0 and "r1" in pl_module.terms:
                due.append(trainer.global_step - 1)

    lazy = ("model/objective=r1", "model.objective.penalties.r1.every=2")
    trained("gan", *lazy, "model.accumulate=2", "trainer.max_epochs=2", callbacks=[Look()])
    assert due == [1, 5]
