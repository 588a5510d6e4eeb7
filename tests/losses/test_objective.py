"""Losses with penalties, as they come from the config tree."""

import pytest
import torch
from settings import config, options
from torch import nn

from genlab.errors import UsageError
from genlab.losses import R1, R2, Hinge, NonSaturating, Objective, OneCentered, RelativisticPairing, as_objective
from genlab.runs.build import build

SURE_REAL, SURE_FAKE = torch.full((4, 1), 20.0), torch.full((4, 1), -20.0)


def from_config(*overrides):
    return build(config("model=gan", *overrides).model.objective)


def linear(weight):
    """D(x) = w.x, whose gradient is w everywhere."""
    critic = nn.Linear(len(weight), 1, bias=False)
    critic.weight.data = torch.tensor([weight])
    return critic


def terms(objective, critic, step=0, generator=None):
    real, fake = torch.ones(4, 2), torch.zeros(4, 2)
    return objective.discriminator_terms(critic, critic(real), critic(fake), real, fake, step, generator)


@pytest.mark.parametrize("name", options("model/objective"))
def test_in_every_objective_the_players_pull_in_opposite_directions(name, generator):
    objective = from_config(f"model/objective={name}")
    half = torch.full((4, 1), 0.5)
    fake = half.clone().requires_grad_()
    images = torch.zeros(4, 2)

    def d_loss(real_logits, fake_logits):
        critic = linear([1.0, 0.0])
        return objective.discriminator_terms(critic, real_logits, fake_logits, images, images, 1, generator)["d_loss"]

    (by_d,) = torch.autograd.grad(d_loss(half, fake), fake)
    (by_g,) = torch.autograd.grad(objective.generator_loss(fake, half), fake)
    assert (by_d * by_g < 0).all()
    assert d_loss(SURE_REAL, SURE_FAKE) < d_loss(SURE_FAKE, SURE_REAL)


@pytest.mark.parametrize("name", options("model/objective"))
def test_every_objective_trains_codes_as_it_trains_images(name, generator):
    objective = from_config(f"model/objective={name}")
    for shape in [(4, 3, 8, 8), (4, 10)]:
        critic = nn.Sequential(nn.Flatten(), nn.LazyLinear(8), nn.Tanh(), nn.Linear(8, 1))
        real, fake = torch.randn(2, *shape, generator=generator)
        named = objective.discriminator_terms(critic, critic(real), critic(fake), real, fake, 0, generator)
        named["d_loss"].backward()
        assert named.keys() == {"d_loss", *objective.penalties}
        assert all(p.grad is not None and p.grad.isfinite().all() for p in critic[1].parameters())


@pytest.mark.parametrize(
    ("name", "loss", "penalties"),
    [
        ("wgan_gp", "Wasserstein", {"one_centered": ("OneCentered", 10.0)}),
        ("r1", "NonSaturating", {"r1": ("R1", 10.0)}),
        ("r3gan", "RelativisticPairing", {"r1": ("R1", 1.0), "r2": ("R2", 1.0)}),
        ("sngan", "Hinge", {}),
        ("dragan", "NonSaturating", {"dragan": ("DRAGAN", 10.0)}),
    ],
)
def test_combinations_are_those_of_their_papers(name, loss, penalties):
    objective = from_config(f"model/objective={name}")
    assert type(objective.loss).__name__ == loss
    assert {k: (type(p).__name__, p.weight) for k, p in objective.penalties.items()} == penalties


@pytest.mark.parametrize("name", options("model/penalty"))
def test_any_penalty_can_be_added_on_the_command_line(name):
    key = "model.objective.penalties.mine"
    objective = from_config(f"+model/penalty@{key}={name}", f"{key}.weight=3", f"{key}.every=4")
    assert type(objective.loss) is NonSaturating
    assert (objective.penalties["mine"].weight, objective.penalties["mine"].every) == (3.0, 4)


def test_any_penalty_can_be_removed_on_the_command_line():
    assert from_config("model/objective=wgan_gp", "~model.objective.penalties.one_centered").penalties == {}


def test_the_two_penalties_of_r3gan_share_their_weight():
    penalties = from_config("model/objective=r3gan", "model.objective.penalties.r1.weight=0.05").penalties
    assert penalties["r2"].weight == 0.05


def test_the_total_is_the_loss_and_all_penalties_that_are_due():
    objective = Objective(Hinge(), {"r1": R1(weight=2), "gp": OneCentered(weight=3)})
    named = terms(objective, linear([0.3, 0.4]))  # |w| = 1/2; D is 0.7 on real and 0 on fake
    assert {k: v.item() for k, v in named.items()} == {
        "r1": pytest.approx(2 / 2 * 0.25),
        "gp": pytest.approx(3 * 0.25),
        "d_loss": pytest.approx(0.3 + 1.0 + 0.25 + 0.75),
    }


def test_lazy_penalties_are_due_every_nth_step_and_n_times_as_strong():
    objective = Objective(Hinge(), {"lazy": R1(weight=2, every=4), "eager": R2(weight=2)})
    values = [terms(objective, linear([0.3, 0.4]), step) for step in range(9)]
    assert [step for step, named in enumerate(values) if "lazy" in named] == [0, 4, 8]
    assert values[4]["lazy"].item() == pytest.approx(4 * 0.25)
    assert values[4]["d_loss"].item() - values[5]["d_loss"].item() == pytest.approx(4 * 0.25)
    assert all(named["eager"].item() == pytest.approx(0.25) for named in values)


def test_logits_in_half_precision_are_compared_in_float32():
    real, fake = torch.tensor([[256.0], [258.0]]).bfloat16(), torch.zeros(2, 1).bfloat16()  # 257 is no bfloat16
    named = Objective(Hinge()).discriminator_terms(linear([1.0]), fake, real, fake, real, 0)
    assert named["d_loss"].item() == 1 + 258
    assert Objective(Hinge()).generator_loss(real).item() == -257


@pytest.mark.parametrize(("loss", "uses_real"), [(Hinge(), False), (RelativisticPairing(), True)])
def test_an_objective_says_whether_the_generator_needs_real_logits(loss, uses_real):
    assert Objective(loss).uses_real is uses_real


def test_a_bare_loss_of_an_older_config_becomes_an_objective_and_an_objective_stays():
    loss = NonSaturating()
    objective = as_objective(loss)
    assert objective.loss is loss
    assert objective.penalties == {}
    assert as_objective(objective) is objective


def test_a_penalty_can_not_take_the_name_of_a_loss():
    with pytest.raises(UsageError, match="d_loss"):
        Objective(Hinge(), {"d_loss": R1(1)})


def test_accuracies_count_logits_on_the_right_side_of_the_boundary():
    real, fake = torch.tensor([[0.7], [0.4], [-1.0], [2.0]]), torch.tensor([[0.3], [0.6], [0.9], [0.2]])
    at_zero, at_half = Objective(Hinge()), from_config("model/objective=least_squares")
    assert at_zero.accuracies(real, fake) == {"d_accuracy_real": 0.75, "d_accuracy_fake": 0.0}
    assert at_half.accuracies(real, fake) == {"d_accuracy_real": 0.5, "d_accuracy_fake": 0.5}
    assert Objective(RelativisticPairing()).accuracies(real, fake) == {}
