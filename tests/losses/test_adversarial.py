"""The games in numbers that can be checked by hand."""

from math import exp, log

import pytest
import torch
from settings import config, options

from genlab.config.build import build
from genlab.errors import UsageError
from genlab.losses import Hinge, LeastSquares, Minimax, NonSaturating, RelativisticPairing, Wasserstein

UNDECIDED = torch.zeros(4, 1)
SURE_REAL, SURE_FAKE = torch.full((4, 1), 20.0), torch.full((4, 1), -20.0)
REAL, FAKE = torch.tensor([[2.0], [0.5]]), torch.tensor([[-3.0], [0.5]])


@pytest.mark.parametrize("loss", [Minimax(), NonSaturating()], ids=lambda loss: type(loss).__name__)
def test_an_undecided_discriminator_pays_log_four(loss):
    assert loss.discriminator(UNDECIDED, UNDECIDED).item() == pytest.approx(log(4.0))


def test_the_minimax_value_is_that_of_equation_one():
    real, fake = torch.tensor([[0.3], [-1.2]]), torch.tensor([[0.8], [0.1]])
    value = real.sigmoid().log().mean() + (1 - fake.sigmoid()).log().mean()
    torch.testing.assert_close(Minimax().discriminator(real, fake), -value)
    torch.testing.assert_close(Minimax().generator(fake), (1 - fake.sigmoid()).log().mean())


def test_in_minimax_what_one_player_gains_on_fakes_the_other_loses():
    fake = torch.tensor([[0.8], [-0.4]])
    on_fakes = Minimax().discriminator(SURE_REAL, fake) - Minimax().discriminator(SURE_REAL, SURE_FAKE)
    torch.testing.assert_close(on_fakes, -Minimax().generator(fake), atol=1e-6, rtol=1e-6)


def test_the_non_saturating_generator_maximises_log_d():
    fake = torch.tensor([[0.8], [-0.4]])
    torch.testing.assert_close(NonSaturating().generator(fake), -fake.sigmoid().log().mean())


def test_against_a_sure_discriminator_only_minimax_saturates():
    gradients = []
    for loss in (Minimax(), NonSaturating()):
        fake = torch.tensor([[-10.0]], requires_grad=True)
        loss.generator(fake).backward()
        gradients.append(fake.grad.item())
    assert gradients[0] == pytest.approx(-4.5e-5, rel=0.01)
    assert gradients[1] == pytest.approx(-1.0, rel=0.01)


def test_least_squares_regresses_logits_on_one_and_zero():
    on_real, on_fake = (1.0**2 + 0.5**2) / 2, (3.0**2 + 0.5**2) / 2
    assert LeastSquares().discriminator(REAL, FAKE).item() == pytest.approx(0.5 * on_real + 0.5 * on_fake)
    assert LeastSquares().generator(FAKE).item() == pytest.approx(0.5 * (4.0**2 + 0.5**2) / 2)


def test_least_squares_has_its_paper_s_halves():
    half = torch.full((4, 1), 0.5)
    assert LeastSquares().discriminator(half, half).item() == pytest.approx(1 / 4)
    assert LeastSquares().discriminator(torch.ones(4, 1), torch.zeros(4, 1)).item() == 0.0


def test_hinge_charges_only_logits_within_the_margin():
    assert Hinge().discriminator(REAL, FAKE).item() == pytest.approx((0 + 0.5) / 2 + (0 + 1.5) / 2)
    assert Hinge().discriminator(torch.ones(4, 1), -torch.ones(4, 1)).item() == 0.0
    assert Hinge().generator(FAKE).item() == pytest.approx(1.25)


def test_the_wasserstein_critic_estimates_the_difference_of_means():
    assert Wasserstein().discriminator(REAL, FAKE).item() == pytest.approx(-1.25 - 1.25)
    assert Wasserstein().generator(FAKE).item() == pytest.approx(1.25)


def test_a_relativistic_loss_looks_at_the_margin_of_each_pair():
    margins = [2.0 + 3.0, 0.5 - 0.5]
    for_d = sum(log(1 + exp(-m)) for m in margins) / 2
    for_g = sum(log(1 + exp(m)) for m in margins) / 2
    assert RelativisticPairing().discriminator(REAL, FAKE).item() == pytest.approx(for_d)
    assert RelativisticPairing().generator(FAKE, REAL).item() == pytest.approx(for_g)


def test_a_relativistic_loss_does_not_notice_a_shift_of_all_logits():
    loss = RelativisticPairing()
    torch.testing.assert_close(loss.discriminator(REAL + 7, FAKE + 7), loss.discriminator(REAL, FAKE))


def test_only_the_relativistic_generator_needs_real_logits():
    losses = [Minimax, NonSaturating, LeastSquares, Hinge, Wasserstein, RelativisticPairing]
    assert [loss.__name__ for loss in losses if loss.uses_real] == ["RelativisticPairing"]
    with pytest.raises(UsageError, match="real samples"):
        RelativisticPairing().generator(FAKE)


def test_a_relativistic_loss_refuses_logits_that_can_not_be_paired():
    with pytest.raises(UsageError, match=r"\(2, 1\) and \(4, 1\)"):
        RelativisticPairing().discriminator(REAL, UNDECIDED)


TIED = torch.tensor([-2.0, -0.7, 0.7, 2.0])  # distances from the boundary, each for a D that can't tell


def cost_of_ties(loss, logits):
    """What D pays if it gives all samples, real and fake, one of the logits."""
    return [loss.discriminator(torch.full((4, 1), v), torch.full((4, 1), v)).item() for v in logits.tolist()]


@pytest.mark.parametrize("name", options("model/objective"))
def test_the_boundary_is_the_logit_that_costs_an_undecided_d_least(name):
    """By symmetry and by the least cost; a loss without one costs the same at any logit, so none can be a boundary."""
    loss = build(config("model=gan", f"model/objective={name}").model.objective).loss
    if loss.boundary is None:
        assert cost_of_ties(loss, TIED) == pytest.approx(cost_of_ties(loss, torch.zeros(4)))
        return
    costs = cost_of_ties(loss, loss.boundary + TIED)
    at_the_boundary = cost_of_ties(loss, torch.tensor([loss.boundary]))[0]
    assert costs == pytest.approx(costs[::-1])
    assert min(costs) >= at_the_boundary - 1e-6
    assert costs[0] > at_the_boundary + 0.1
