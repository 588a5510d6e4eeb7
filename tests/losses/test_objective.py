"""Losses with penalties, as they come from the config tree."""

import pytest
import torch
from settings import config, options
from torch import nn

from genlab.config.build import build
from genlab.errors import UsageError
from genlab.losses import R1, R2, Hinge, NonSaturating, Objective, OneCentered, RelativisticPairing

SURE_REAL, SURE_FAKE = torch.full((4, 1), 20.0), torch.full((4, 1), -20.0)


def from_config(*overrides):
    return build(config("model=gan", *overrides).model.objective)


def linear(weight):
    """D(x) = w.x, whose gradient is w everywhere."""
    critic = nn.Linear(len(weight), 1, bias=False)
    critic.weight.data = torch.tensor([weight])
    return critic


def terms(objective, critic, step=0, generator=None):
    return objective.discriminator(critic, torch.ones(4, 2), torch.zeros(4, 2), step, generator)


def logit(x):
    """A critic whose logits are its inputs."""
    return x


@pytest.mark.parametrize("name", options("model/objective"))
def test_in_every_objective_the_players_pull_in_opposite_directions(name, generator):
    objective = from_config(f"model/objective={name}")
    half = torch.full((4, 1), 0.5)
    fake = half.clone().requires_grad_()

    def d_loss(real, fake):
        return objective.discriminator(logit, real, fake, 1, generator)["d_loss"]

    (by_d,) = torch.autograd.grad(d_loss(half, fake), fake)
    (by_g,) = torch.autograd.grad(objective.generator(logit, half, fake), fake)
    assert (by_d * by_g < 0).all()
    assert d_loss(SURE_REAL, SURE_FAKE) < d_loss(SURE_FAKE, SURE_REAL)


@pytest.mark.parametrize("name", options("model/objective"))
def test_every_objective_trains_codes_as_it_trains_images(name, generator):
    objective = from_config(f"model/objective={name}")
    for shape in [(4, 3, 8, 8), (4, 10)]:
        critic = nn.Sequential(nn.Flatten(), nn.LazyLinear(8), nn.Tanh(), nn.Linear(8, 1))
        real, fake = torch.randn(2, *shape, generator=generator)
        named = objective.discriminator(critic, real, fake, 0, generator)
        named["d_loss"].backward()
        assert named.keys() == {"d_loss", *objective.penalties}
        assert all(p.grad is not None and p.grad.isfinite().all() for p in critic[1].parameters())


@pytest.mark.parametrize("name", options("model/objective"))
def test_the_logits_of_patches_count_like_those_of_as_many_images(name, generator):
    objective = from_config(f"model/objective={name}")
    real, fake = torch.randn(2, 4, 1, 3, 2, generator=generator)
    rows = real.reshape(24, 1), fake.reshape(24, 1)
    by_patches, by_images = (objective.discriminator(logit, *pair, 1, generator) for pair in ((real, fake), rows))
    if not objective.penalties:  # which look at images
        torch.testing.assert_close(by_patches["d_loss"], by_images["d_loss"])
    torch.testing.assert_close(objective.generator(logit, real, fake), objective.generator(logit, *rows))
    assert objective.evaluate(real, fake) == objective.evaluate(*rows)
    torch.testing.assert_close(objective.both_sides(real, fake), objective.both_sides(*rows))


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
    assert Objective(Hinge()).discriminator(logit, fake, real)["d_loss"].item() == 1 + 258
    assert Objective(Hinge()).generator(logit, fake, real).item() == -257
    assert Objective(Hinge()).both(logit, fake, real).item() == -257
    assert Objective(Hinge()).evaluate(fake, real)["d_loss"].item() == 1 + 258


def test_the_generator_asks_for_real_logits_only_where_the_loss_compares_with_them():
    seen: list[float] = []

    def critic(x):
        seen.append(x.mean().item())
        return x

    real, fake = torch.full((4, 1), 2.0), torch.full((4, 1), 3.0)
    Objective(Hinge()).generator(critic, real, fake)
    assert seen == [3.0]
    seen.clear()
    Objective(RelativisticPairing()).generator(critic, real, fake)
    assert sorted(seen) == [2.0, 3.0]


def test_each_real_sample_is_compared_with_all_fakes_of_its_row_and_penalties_look_at_the_last_ones():
    """Reals 1, 2 and fakes 3, 4, 5, 6: pairs (1, 3), (2, 4), (1, 5), (2, 6); R2 of D(x) = x^2 / 2 at 5 and 6."""
    real, fake = torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [4.0], [5.0], [6.0]])
    named = Objective(RelativisticPairing(), {"r2": R2(2)}).discriminator(lambda x: x.square() / 2, real, fake)
    differences = torch.tensor([9.0 - 1, 16 - 4, 25 - 1, 36 - 4]) / 2  # softplus is the identity for such
    assert named["d_loss"].item() - named["r2"].item() == pytest.approx(differences.mean().item(), abs=1e-2)
    assert named["r2"].item() == pytest.approx((25 + 36) / 2)


def test_penalties_take_the_uncompiled_critic():
    class Critic(nn.Module):
        def forward(self, x):
            return 3 * x

        def __call__(self, x):
            assert not x.requires_grad  # only a penalty asks for gradients in the input
            return super().__call__(x)

    named = Objective(Hinge(), {"r1": R1(2)}).discriminator(Critic(), torch.ones(4, 1), torch.zeros(4, 1))
    assert named["r1"].item() == 9


# At a fake logit and a real one, beyond the margin or within: the derivatives in both. 0.7311 is sigmoid(1), and 0.2689
# its complement; 0.9526 and 0.0474 are those of 3.
BOTH_SIDES = [
    ("hinge", -3.0, 3.0, -1.0, 1.0),
    ("sngan", -3.0, 3.0, -1.0, 1.0),
    ("hinge", 0.5, -0.5, -1.0, 1.0),
    ("wasserstein", -3.0, 3.0, -1.0, 1.0),
    ("wgan_gp", -3.0, 3.0, -1.0, 1.0),
    ("non_saturating", -3.0, 3.0, -0.9526, 0.9526),
    ("non_saturating", 1.0, -1.0, -0.2689, 0.2689),
    ("r1", -3.0, 3.0, -0.9526, 0.9526),
    ("dragan", -3.0, 3.0, -0.9526, 0.9526),
    ("minimax", -3.0, 3.0, -0.0474, 0.0474),
    ("minimax", 1.0, -1.0, -0.7311, 0.7311),
    ("least_squares", -1.0, 2.0, -2.0, 2.0),
    ("relativistic", -1.0, 2.0, -0.9526, 0.9526),
    ("r3gan", -1.0, 2.0, -0.9526, 0.9526),
]


@pytest.mark.parametrize(("name", "fake", "real", "in_fake", "in_real"), BOTH_SIDES)
def test_generator_and_encoder_of_a_pair_both_have_gradients_wherever_the_game_has_them(
    name, fake, real, in_fake, in_real
):
    logits = [torch.tensor([[value]], requires_grad=True) for value in (real, fake)]
    loss = from_config(f"model/objective={name}").both(logit, *logits)
    by_real, by_fake = torch.autograd.grad(loss, logits)
    assert by_fake.item() == pytest.approx(in_fake, abs=1e-4)
    assert by_real.item() == pytest.approx(in_real, abs=1e-4)


def test_every_objective_is_in_the_table_of_both_sides():
    assert {name for name, *_ in BOTH_SIDES} == set(options("model/objective"))


def test_a_penalty_can_not_take_the_name_of_a_loss():
    with pytest.raises(UsageError, match="d_loss"):
        Objective(Hinge(), {"d_loss": R1(1)})


def test_accuracies_count_logits_on_the_right_side_of_the_boundary():
    real, fake = torch.tensor([[0.7], [0.4], [-1.0], [2.0]]), torch.tensor([[0.3], [0.6], [0.9], [0.2]])
    at_zero, at_half = Objective(Hinge()), from_config("model/objective=least_squares")
    for objective, on_real, on_fake in ((at_zero, 0.75, 0.0), (at_half, 0.5, 0.5)):
        found = objective.evaluate(real, fake)
        assert (found["d_accuracy_real"], found["d_accuracy_fake"]) == (on_real, on_fake)
    assert Objective(RelativisticPairing()).evaluate(real, fake).keys() == {"d_loss", "g_loss"}
