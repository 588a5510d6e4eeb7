"""Players that step in turn: who moves whom, when, and what is counted."""

from collections import Counter

import pytest
import torch
from lightning.pytorch import Callback
from settings import options
from small_training import ADVERSARIAL, trained

from genlab.config.build import build


def network_of(model) -> dict[torch.nn.Parameter, str]:
    return {p: name.split(".")[0] for name, p in model.named_parameters()}


class Watch(Callback):
    """Notes which networks each player's step moved, and to which networks a gradient was computed before it."""

    def __init__(self) -> None:
        self.moved: list[tuple[str, frozenset[str]]] = []
        self.graded: list[tuple[str, frozenset[str]]] = []

    def on_fit_start(self, trainer, pl_module):
        self.names, self.gradients = network_of(pl_module), Counter()
        for parameter, name in self.names.items():
            parameter.register_post_accumulate_grad_hook(lambda _, name=name: self.gradients.update([name]))
        self.player, self.before = "", {}

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.note()
        optimizers = [wrapped.optimizer for wrapped in pl_module.optimizers()]
        self.player = list(pl_module.players())[optimizers.index(optimizer)]
        self.graded.append((self.player, frozenset(self.gradients)))
        self.gradients.clear()
        self.before = {p: p.detach().clone() for p in self.names}

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.note()
        self.before = {}

    def note(self):
        if self.before:
            moved = {self.names[p] for p, value in self.before.items() if not torch.equal(p, value)}
            self.moved.append((self.player, frozenset(moved)))


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_each_player_moves_its_own_networks_alone(name):
    watch = Watch()
    model, _ = trained(name, callbacks=[watch])
    names = network_of(model)
    own = {
        player: frozenset(names[p] for network in networks for p in network.parameters())
        for player, networks in model.players().items()
    }
    assert {player for player, _ in watch.moved} == set(own)
    assert [moved for _, moved in watch.moved] == [own[player] for player, _ in watch.moved]


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_no_gradient_is_computed_that_nobody_uses(name):
    """Each backward reaches the networks of the player that steps next, and no others."""
    watch = Watch()
    model, _ = trained(name, callbacks=[watch])
    names = network_of(model)
    for player, graded in watch.graded:
        own = {names[p] for network in model.players()[player] for p in network.parameters()}
        assert graded == own, player
    assert len(watch.graded) == 4 * len(model.players())


@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.parametrize("options", [(), ("model.d_steps=2",), ("model.accumulate=2",)], ids=str)
def test_global_step_counts_batches(name, options):
    model, trainer = trained(name, *options)
    assert trainer.global_step == 4
    assert model.images_seen == 64


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_with_two_steps_of_d_the_others_move_at_every_second_batch(name):
    watch = Watch()
    trained(name, "model.d_steps=2", callbacks=[watch])
    moves = Counter(player for player, _ in watch.moved)
    assert moves.pop("discriminator") == 4
    assert set(moves.values()) == {2}


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_accumulated_batches_make_one_step(name):
    watch = Watch()
    trained(name, "model.accumulate=2", callbacks=[watch])
    assert set(Counter(player for player, _ in watch.moved).values()) == {2}


OBJECTIVES = options("model/objective")


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_every_objective_trains_every_adversarial_model(name, objective):
    model, trainer = trained(name, f"model/objective={objective}", "trainer.max_steps=2")
    assert trainer.global_step == 2
    assert all(torch.isfinite(p).all() for p in model.parameters())
    assert "d_loss" in model.terms
    assert set(model.objective.penalties) <= model.terms.keys()


def test_a_penalty_is_added_on_the_command_line():
    model, _ = trained("gan", "model/objective=hinge", "+model/penalty@model.objective.penalties.r1=r1")
    assert model.terms["r1"] > 0


def test_batch_normalisation_under_a_gradient_penalty_is_warned_of(caplog):
    norm = "model.discriminator.norm={_target_: torch.nn.BatchNorm2d, _partial_: true}"
    trained("gan", "model/objective=wgan_gp", norm, "trainer.max_steps=1")
    assert "the paper forbids it" in caplog.text
    caplog.clear()
    trained("gan", "model/objective=wgan_gp", "trainer.max_steps=1")
    trained("gan", "model/objective=r1", norm, "trainer.max_steps=1")
    assert "forbids" not in caplog.text


@pytest.mark.parametrize("name", options("model"))
def test_mixed_precision_keeps_weights_and_losses_in_float32(name):
    overrides = ("trainer.precision=bf16-mixed", "trainer.max_steps=2")
    if name in ADVERSARIAL:
        overrides += ("model/objective=r1",)
    model, _ = trained(name, *overrides)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert all(term.dtype == torch.float32 and torch.isfinite(term) for term in model.terms.values())


def test_augmentation_changes_what_d_sees_and_lets_gradients_through():
    watch = Watch()
    model, _ = trained("gan", "model/augment=diffaugment", callbacks=[watch])
    assert {player for player, moved in watch.moved if moved} == {"discriminator", "generator"}
    plain, _ = trained("gan")
    assert not torch.equal(next(model.discriminator.parameters()), next(plain.discriminator.parameters()))


def test_a_configuration_of_an_earlier_version_still_gives_its_gan():
    """Its objective is the loss itself, and most of today's keys are missing."""
    network = {"_partial_": True, "width": 8}
    node = {
        "_target_": "genlab.models.GAN",
        "_convert_": "all",
        "image_shape": [1, 28, 28],
        "latent_dim": 4,
        "generator": {"_target_": "genlab.networks.ConvUp", **network},
        "discriminator": {"_target_": "genlab.networks.ConvDown", **network},
        "objective": {"_target_": "genlab.losses.NonSaturating"},
        "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True, "lr": 1e-3},
    }
    assert build(node).objective.penalties == {}


def test_with_fresh_fakes_a_relativistic_g_meets_the_reals_of_the_update_before():
    seen = []
    model, _ = trained("gan", "model/objective=relativistic", "model.fresh=true", "trainer.max_steps=1")
    first, second = [torch.full((2, 1, 16, 16), value) for value in (0.1, 0.2)]
    assert model.rank_state()["reals_before"][0][0].shape == (
        16,
        1,
        16,
        16,
    )
    model._reals_before = []
    for x in (first, second):
        reals, fakes = model._freshen([(x, None)])
        seen.append(reals[0][0])
        assert len(next(iter(fakes))) == 2
    assert torch.equal(seen[0], first)
    assert torch.equal(seen[1], first)
    assert torch.equal(model.rank_state()["reals_before"][0][0], second)


def test_an_aae_with_a_weight_for_its_adversary_has_two_players():
    watch = Watch()
    trained("aae", "model.adversarial_weight=80", callbacks=[watch])
    assert Counter(player for player, _ in watch.moved) == {"autoencoder": 4, "discriminator": 4}
    assert [graded for player, graded in watch.graded if player == "autoencoder"] == 4 * [{"encoder", "decoder"}]
