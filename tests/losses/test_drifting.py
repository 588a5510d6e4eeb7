"""The drift of samples, on vectors small enough to do it by hand."""

from math import exp, sqrt

import pytest
import torch

from genlab.losses import Drift
from genlab.losses.drifting import drift_field, mean_distance

X = torch.tensor([[0.0, 0.0], [1.0, 2.0], [-3.0, 1.0]])


def test_a_single_pair_pulls_along_the_line_between_them():
    """x = 0, y+ = (3, 4), y- = (0, -1), T = 2: distances 5 and 1.

    All x being one, the softmax over x is 1, and that over y is p = e^(-5/2) / (e^(-5/2) + e^(-1/2)) for y+. Then
    A+ = sqrt(p), A- = sqrt(1 - p), and V = sqrt(p (1 - p)) (y+ - y-).
    """
    x, real, fake = torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, -1.0]])
    p = exp(-2.5) / (exp(-2.5) + exp(-0.5))
    assert drift_field(x, real, fake, 2.0)[0].tolist() == pytest.approx([sqrt(p * (1 - p)) * a for a in (3.0, 5.0)])


def test_two_samples_and_one_real_by_hand():
    """x = 0 and 1, y+ = 3, T = 1, each the other's y-: distances to the real 3 and 2, between samples 1.

    Over y the softmax of (-3, -1) at 0 and of (-2, -1) at 1; over x, for the real (-3, -2), and for each sample 1, as
    the other x is masked. V = A+ A- (y+ - y-), as there is one of each.
    """
    x, real = torch.tensor([[0.0], [1.0]]), torch.tensor([[3.0]])
    rows = [exp(-3) / (exp(-3) + exp(-1)), exp(-2) / (exp(-2) + exp(-1))]
    columns = [exp(-3) / (exp(-3) + exp(-2)), exp(-2) / (exp(-3) + exp(-2))]
    expected = [
        sqrt(row * column) * sqrt(1 - row) * (3 - other)
        for row, column, other in zip(rows, columns, (1, 0), strict=True)
    ]
    assert drift_field(x, real, x, 1.0, is_own=True)[:, 0].tolist() == pytest.approx(expected)


def test_it_vanishes_where_reals_and_samples_are_the_same_and_nowhere_else(generator):
    y = torch.randn(5, 2, generator=generator)
    assert drift_field(X, y, y, 0.5).abs().max() < 1e-6
    assert drift_field(X, y, y + 1, 0.5).abs().max() > 1e-2


def test_exchanging_reals_and_samples_turns_it_round(generator):
    a, b = torch.randn(4, 2, generator=generator), torch.randn(6, 2, generator=generator)
    torch.testing.assert_close(drift_field(X, a, b, 0.7), -drift_field(X, b, a, 0.7))
    assert drift_field(X, a, b, 0.7).abs().max() > 1e-2


def test_it_does_not_depend_on_where_the_origin_is(generator):
    a, b = torch.randn(4, 2, generator=generator), torch.randn(6, 2, generator=generator)
    torch.testing.assert_close(drift_field(X + 3, a + 3, b + 3, 0.7), drift_field(X, a, b, 0.7), atol=1e-5, rtol=1e-4)


def test_the_mean_distance_leaves_out_that_of_a_sample_from_itself():
    """Samples 0 and 2, a real at 3: 3 and 1 to the real, 2 and 2 to each other."""
    assert mean_distance(torch.tensor([[0.0], [2.0]]), torch.tensor([[3.0]])).item() == pytest.approx(8 / 4)


def test_the_loss_is_the_squared_number_of_temperatures_where_these_agree_and_its_size_is_that_of_the_field():
    """Fields of one direction: each has a mean square of 1 by its scale, so their sum k has k^2.

    Samples 0 and 1 are 3 and 2 from the real at 3, and 1 from each other: 7 / 4 in the mean, so T = 7 / 8 there.
    """
    x, real = torch.tensor([[0.0], [1.0]]), torch.tensor([[3.0]])
    loss, size = Drift([0.5])(x, real)
    field = drift_field(x, real, x, 7 / 8, is_own=True) / (7 / 4)
    assert loss.item() == pytest.approx(1.0)
    assert size.item() == pytest.approx(field.square().mean().sqrt().item())
    assert Drift([0.5, 0.5])(x, real)[0].item() == pytest.approx(4.0)


def test_its_gradient_is_minus_twice_the_scaled_field():
    x, real = X.clone().requires_grad_(), X + 5
    Drift([0.5])(x, real)[0].backward()
    scale = mean_distance(X, real)
    field = drift_field(X / scale, real / scale, X / scale, 0.5, is_own=True)
    unit = field / field.square().sum(1).mean().sqrt()
    torch.testing.assert_close(x.grad, -2 * unit / len(X) / scale)


def test_it_does_not_depend_on_the_scale_of_the_vectors():
    found = Drift()(100 * X, 100 * (X + 5))
    torch.testing.assert_close(found, Drift()(X, X + 5))


def test_places_are_compared_each_with_itself_and_images_as_vectors(generator):
    fake, real = (torch.randn(n, 3, 2, generator=generator) for n in (4, 5))
    found = torch.tensor(Drift()(fake, real))
    places = torch.tensor([Drift()(fake[..., i], real[..., i]) for i in range(2)])
    torch.testing.assert_close(found, places.mean(0))
    images = torch.tensor(Drift()(fake[:, None], real[:, None]))
    torch.testing.assert_close(images, torch.tensor(Drift()(fake.flatten(1), real.flatten(1))))


def test_samples_that_regress_to_where_they_drift_come_to_the_data(generator):
    """Two clusters at -2 and 2, and samples that begin at 0: both clusters get their share."""
    real = torch.cat([torch.randn(50, 1, generator=generator) * 0.1 + mode for mode in (-2.0, 2.0)])
    x = (0.1 * torch.randn(40, 1, generator=generator)).requires_grad_()
    optimizer = torch.optim.Adam([x], lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        Drift()(x, real)[0].backward()
        optimizer.step()
    assert (x.abs() - 2).abs().median() < 0.3
    assert 10 <= int((x > 0).sum()) <= 30
