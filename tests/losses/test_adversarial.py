"""The game in numbers that can be checked by hand."""

from math import log

import pytest
import torch
from settings import config, options

from genlab.losses import Minimax, NonSaturating
from genlab.runs.build import build

UNDECIDED = torch.zeros(4, 1)
SURE_REAL, SURE_FAKE = torch.full((4, 1), 20.0), torch.full((4, 1), -20.0)


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


@pytest.mark.parametrize("name", options("model/objective"))
def test_in_every_objective_the_players_pull_in_opposite_directions(name):
    loss = build(config("model=gan", f"model/objective={name}").model.objective)
    fake = torch.zeros(4, 1, requires_grad=True)
    (by_d,) = torch.autograd.grad(loss.discriminator(UNDECIDED, fake), fake)
    (by_g,) = torch.autograd.grad(loss.generator(fake), fake)
    assert (by_d * by_g < 0).all()
    assert loss.discriminator(SURE_REAL, SURE_FAKE) < loss.discriminator(SURE_FAKE, SURE_REAL)
