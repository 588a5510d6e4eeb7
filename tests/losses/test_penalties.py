"""Gradient penalties on critics whose gradients are known."""

import pytest
import torch
from torch import nn

from genlab.losses import DRAGAN, R1, R2, OneCentered

REAL, FAKE = torch.ones(8, 2), -torch.ones(8, 2)
ALL = [R1, R2, OneCentered, DRAGAN]


def linear(x):
    """D(x) = 3 x_0 + 4 x_1, with a slope of 5."""
    return x @ torch.tensor([[3.0], [4.0]])


def square(x):
    """D(x) = |x|^2, with a slope of 2 |x|."""
    return x.square().flatten(1).sum(1)


@pytest.mark.parametrize("penalty", [R1(10), R2(10)], ids=["r1", "r2"])
def test_zero_centred_penalties_of_a_linear_critic_are_half_its_squared_weight(penalty):
    assert penalty(linear, REAL, FAKE).item() == pytest.approx(10 / 2 * 25)


@pytest.mark.parametrize("penalty", [OneCentered(10), DRAGAN(10)], ids=["one_centered", "dragan"])
def test_one_centred_penalties_of_a_linear_critic_measure_how_far_its_slope_is_from_one(penalty, generator):
    assert penalty(linear, REAL, FAKE, generator).item() == pytest.approx(10 * (5 - 1) ** 2)
    assert penalty(lambda x: linear(x) / 5, REAL, FAKE, generator).item() == pytest.approx(0, abs=1e-9)


def test_r1_looks_at_real_samples_and_r2_at_fake_ones():
    real, fake = torch.full((8, 1), 1.0), torch.full((8, 1), 3.0)
    assert R1(2)(square, real, fake).item() == pytest.approx(2**2)
    assert R2(2)(square, real, fake).item() == pytest.approx(6**2)


def test_r1_is_the_mean_over_samples_and_not_over_entries():
    real = torch.tensor([[0.0, 0.0], [3.0, 4.0]])  # slopes 0 and 10
    assert R1(2)(square, real, real).item() == pytest.approx((0 + 100) / 2)


def test_one_centred_places_lie_between_real_and_fake_one_a_row():
    seen = []

    def critic(x):
        seen.append(x.detach())
        return linear(x)

    generator = torch.Generator().manual_seed(0)
    OneCentered(1)(critic, torch.ones(500, 2), torch.zeros(500, 2), generator)
    share = seen[0][:, 0]
    assert torch.equal(share, seen[0][:, 1])
    assert share.min() >= 0
    assert share.max() <= 1
    assert share.mean().item() == pytest.approx(0.5, abs=0.05)
    assert share.std().item() == pytest.approx(12**-0.5, abs=0.02)


def test_dragan_looks_near_real_samples_and_not_at_fake_ones():
    seen = []

    def critic(x):
        seen.append(x.detach())
        return linear(x)

    real = torch.randn(500, 2, generator=torch.Generator().manual_seed(1))
    DRAGAN(1, noise=0.5)(critic, real, real + 100, torch.Generator().manual_seed(0))
    moved = (seen[0] - real) / real.std()
    assert moved.min() >= -1e-6
    assert 0.45 < moved.max() <= 0.5
    assert moved.mean().item() == pytest.approx(0.5 / 4, abs=0.02)  # of the product of two uniform numbers


@pytest.mark.parametrize("penalty", ALL)
def test_penalties_reach_the_weights_of_the_critic_but_not_what_made_the_samples(penalty, generator):
    critic = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    penalty(1.0)(critic, real, fake, generator).backward()
    assert critic[0].weight.grad.abs().sum() > 0
    assert real.grad is None
    assert fake.grad is None


def test_the_gradient_of_r1_in_the_weights_of_a_linear_critic_is_weight_times_w():
    critic = nn.Linear(2, 1)
    critic.weight.data = torch.tensor([[3.0, 4.0]])
    R1(10)(critic, REAL, FAKE).backward()
    assert critic.weight.grad.tolist() == [[pytest.approx(30), pytest.approx(40)]]


@pytest.mark.parametrize("penalty", ALL)
def test_a_critic_without_any_slope_has_a_finite_gradient(penalty, generator):
    critic = nn.Linear(2, 1)
    nn.init.zeros_(critic.weight)
    penalty(1.0)(critic, REAL, FAKE, generator).backward()
    assert critic.weight.grad.isfinite().all()


@pytest.mark.parametrize("penalty", ALL)
def test_penalties_are_in_float32_under_autocast(penalty):
    critic = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
    real, fake = torch.randn(2, 8, 2, generator=torch.Generator().manual_seed(0))
    plain = penalty(1.0)(critic, real, fake, torch.Generator().manual_seed(1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert critic(real).dtype == torch.bfloat16
        within = penalty(1.0)(critic, real, fake, torch.Generator().manual_seed(1))
    assert within.dtype == torch.float32
    assert torch.equal(within, plain)


def test_fakes_in_half_precision_are_taken_to_float32():
    assert R2(2)(square, REAL.bfloat16(), FAKE.bfloat16()).dtype == torch.float32


@pytest.mark.parametrize("penalty", ALL)
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_penalties_can_be_measured_without_training(penalty, mode):
    critic = nn.Linear(2, 1)
    values = [penalty(1.0)(critic, REAL, FAKE, torch.Generator().manual_seed(0)).item()]
    with mode():
        values.append(penalty(1.0)(critic, REAL + 0, FAKE + 0, torch.Generator().manual_seed(0)).item())
    assert values[0] == values[1]


def test_a_pair_of_images_and_codes_has_one_gradient():
    def critic(x, z):
        return 3 * x.flatten(1)[:, :1] + 4 * z[:, :1]

    real, fake = (torch.ones(8, 1, 2, 2), torch.ones(8, 5)), (torch.zeros(8, 1, 2, 2), torch.zeros(8, 5))
    generator = torch.Generator().manual_seed(0)
    assert R1(2)(critic, real, fake).item() == pytest.approx(25)
    assert R2(2)(critic, real, fake).item() == pytest.approx(25)
    assert OneCentered(1)(critic, real, fake, generator).item() == pytest.approx(16)
    assert DRAGAN(1)(critic, real, fake, generator).item() == pytest.approx(16)


@pytest.mark.parametrize("penalty", [OneCentered(1), DRAGAN(1)], ids=["one_centered", "dragan"])
def test_draws_follow_their_generator_alone(penalty):
    real, fake = torch.arange(16.0).reshape(8, 2), torch.zeros(8, 2)
    before = torch.get_rng_state()
    values = [penalty(square, real, fake, torch.Generator().manual_seed(seed)).item() for seed in (0, 0, 1)]
    assert values[0] == values[1] != values[2]
    assert torch.equal(torch.get_rng_state(), before)


def test_only_the_penalty_of_wgan_gp_forbids_batch_norm():
    assert [penalty.__name__ for penalty in ALL if penalty.forbids_batch_norm] == ["OneCentered"]
