"""Adaptive augmentation: what it does to images, and how its probability follows D."""

from math import pi, sqrt

import pytest
import torch
from layouts import photographs

from genlab.losses import ADA
from genlab.losses.transforms import Draws, blits, colours, geometry, moved, recoloured

SIZE = (16, 16)
PHOTOGRAPHS = torch.from_numpy(photographs(4, *SIZE)).permute(0, 3, 1, 2) / 127.5 - 1


class Given(Draws):
    """Draws that are given by hand, in the order in which they are asked for."""

    def __init__(self, n, *values):
        super().__init__(n, None)
        self.values = iter(values)

    def choice(self, most, p, *pair):
        value = next(self.values)
        return (
            torch.tensor(value, dtype=torch.float32)[:, None].expand(2, self.n)
            if pair
            else torch.full((self.n,), float(value))
        )

    uniform = normal = choice


def test_blits_mirror_turn_and_shift_by_whole_pixels():
    x = PHOTOGRAPHS
    torch.testing.assert_close(moved(x, blits(Given(4, 1, 0, [0, 0]), SIZE, 1.0)), x.flip(3))
    turned = moved(x, blits(Given(4, 0, 1, [0, 0]), SIZE, 1.0))
    assert min((turned - x.rot90(k, (2, 3))).abs().max() for k in (1, 3)) < 1e-4
    shifted = moved(x, blits(Given(4, 0, 0, [0, 2 / 16]), SIZE, 1.0))  # two pixels to the right
    torch.testing.assert_close(shifted[..., 2:], x[..., :-2])
    torch.testing.assert_close(shifted[..., :2], x[..., 1:3].flip(3))  # mirrored about the first pixel


def test_twice_the_size_shows_the_middle_half():
    ramp = torch.linspace(-1, 1, 16).expand(1, 1, 16, 16)
    larger = moved(ramp, geometry(Given(1, torch.log(torch.tensor(2.0)), 0, 0, 0, [0, 0]), SIZE, 0.5))
    torch.testing.assert_close(larger, 0.5 * ramp)  # a line through the centre, at half the slope
    half_a_turn = moved(ramp, geometry(Given(1, 0, pi, 0, 0, [0, 0]), SIZE, 0.5))
    torch.testing.assert_close(half_a_turn, -ramp)


def test_colours_are_those_of_the_paper():
    x = PHOTOGRAPHS
    brighter, contrast, flip, hue, saturation = range(5)

    def changed(which, value):
        return recoloured(x, colours(Given(4, *(value if i == which else 0 for i in range(5))), 1.0))

    torch.testing.assert_close(changed(brighter, 0.3), x + 0.3)
    torch.testing.assert_close(changed(contrast, torch.log(torch.tensor(2.0))), 2 * x)
    mean = x.mean(1, keepdim=True)
    torch.testing.assert_close(changed(flip, 1), x - 2 * mean)  # the luma changes its sign, and colours stay
    torch.testing.assert_close(changed(saturation, torch.log(torch.tensor(2.0))), mean + 2 * (x - mean))
    torch.testing.assert_close(changed(hue, 2 * pi / 3), x.roll(1, 1))  # a third of a turn: red becomes green


def test_a_grey_image_gets_the_mean_of_what_its_colours_would():
    x = PHOTOGRAPHS.mean(1, keepdim=True)
    matrices = colours(Draws(4, torch.Generator().manual_seed(0)), 1.0)
    torch.testing.assert_close(recoloured(x, matrices), recoloured(x.expand(-1, 3, -1, -1), matrices).mean(1, True))


def test_draws_have_the_probability_and_the_spread_that_is_asked_for():
    draws = Draws(20_000, torch.Generator().manual_seed(0))
    values = draws.normal(0.2, 0.3)
    assert (values != 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert values[values != 0].std().item() == pytest.approx(0.2, rel=0.03)
    assert draws.uniform(pi, 1.0).abs().max().item() == pytest.approx(pi, abs=0.01)
    assert draws.choice(4, 1.0).unique().tolist() == [0, 1, 2, 3]


def test_without_a_probability_images_are_as_they_were_and_with_one_its_share_of_them_is():
    assert ADA(p=0.0)(PHOTOGRAPHS) is PHOTOGRAPHS
    x = PHOTOGRAPHS[:1].repeat(2000, 1, 1, 1)
    out = ADA(p=0.5, geometry=0.0, colour=0.0)(x, torch.Generator().manual_seed(0))
    same = (out - x).abs().flatten(1).amax(1) < 1e-5
    # Mirror, turn and shift each leave it with 1 - p and, where drawn, by chance: a half, a quarter, and a 16th, as
    # shifts from -2 to 2 pixels round to 0 in a quarter of the cases each way.
    assert same.float().mean().item() == pytest.approx((0.5 + 0.5 / 2) * (0.5 + 0.5 / 4) * (0.5 + 0.5 / 16), abs=0.03)


def test_its_gradient_has_a_gradient_as_penalties_need():
    x = PHOTOGRAPHS.clone().requires_grad_()
    weights = torch.randn(x.shape, requires_grad=True)
    out = ADA(p=0.9, cutout=1.0)(x, torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad((weights * out.square()).sum(), x, create_graph=True)
    gradient.square().sum().backward()
    assert weights.grad is not None
    assert weights.grad.abs().sum() > 0


def test_p_steps_towards_the_target_by_the_images_since():
    ada = ADA(p=0.5, target=0.6, images=100, every=2)
    for signs in ([1.0] * 10, [1.0] * 8 + [-3.0] * 2):  # r = 16 / 20
        ada.observe(torch.tensor(signs)[:, None])
        ada.adapt()
    assert ada.r == pytest.approx(0.8)
    assert ada.p == pytest.approx(0.5 + 20 / 100)
    for _ in range(2):
        ada.observe(torch.tensor([[-0.1]]).repeat(10, 1))
        ada.adapt()
    assert (ada.r, ada.p) == (-1.0, pytest.approx(0.5))


def test_p_stays_from_0_to_1():
    for logit, end in ((1.0, 1.0), (-1.0, 0.0)):
        ada = ADA(p=0.5, images=10, every=1)
        ada.observe(torch.full((100, 1), logit))
        ada.adapt()
        assert ada.p == end


def test_a_controller_that_is_stored_between_two_steps_goes_on_with_what_it_has_counted():
    ada, again = (ADA(p=0.2, images=100, every=2) for _ in range(2))
    ada.observe(torch.ones(10, 1))
    ada.adapt()
    again.load_state_dict(ada.state_dict())
    for part in (ada, again):
        part.observe(-torch.ones(30, 1))
        part.adapt()
    assert ada.p == again.p == pytest.approx(0.0)
    assert ada.r == again.r == -0.5


def test_turns_before_and_after_stretching_make_up_the_probability_together():
    draws = Draws(20_000, torch.Generator().manual_seed(0))
    matrices = geometry(draws, SIZE, 0.36)
    turned = matrices[:, 0, 1].abs() > 1e-6
    assert turned.float().mean().item() == pytest.approx(1 - sqrt(1 - 0.36) ** 2, abs=0.01)
