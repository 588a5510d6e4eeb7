"""Likelihoods against hand-derived numbers and torch.distributions."""

from math import e, log, pi

import pytest
import torch
from settings import config, options
from torch import nn
from torch.distributions import Laplace as TorchLaplace
from torch.distributions import Normal

from genlab.config.build import build
from genlab.losses import Bernoulli, Gaussian, Laplace, LearnedGaussian, OptimalGaussian

ALL = [Gaussian(0.3), LearnedGaussian(0.3), OptimalGaussian(), Laplace(0.3), Bernoulli()]


def named(likelihood):
    return type(likelihood).__name__


@pytest.mark.parametrize("gaussian", [Gaussian, LearnedGaussian])
def test_nll_of_a_pixel_one_sigma_away_is_a_half_plus_the_constant(gaussian):
    x, mean = torch.full((1, 1, 1, 1), 0.5), torch.zeros(1, 1, 1, 1)
    assert gaussian(sigma=0.5).nll(x, mean).item() == pytest.approx(0.5 + log(0.5) + 0.5 * log(2 * pi))


@pytest.mark.parametrize(
    ("likelihood", "distribution"),
    [
        (Gaussian(0.3), lambda out: Normal(out, 0.3)),
        (LearnedGaussian(0.3), lambda out: Normal(out, 0.3)),
        (OptimalGaussian().eval(), lambda out: Normal(out, 1.0)),
        (Laplace(0.3), lambda out: TorchLaplace(out, 0.3)),
    ],
    ids=lambda value: getattr(value, "__class__", type(value)).__name__,
)
def test_nll_is_the_log_density_summed_over_pixels(likelihood, distribution, generator):
    x, out = torch.randn(2, 4, 3, 5, 5, generator=generator)
    expected = -distribution(out).log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(likelihood.nll(x, out).detach(), expected)


def test_nll_of_a_laplace_pixel_one_scale_away_is_one_plus_the_constant():
    x, mean = torch.full((1, 1, 1, 1), 0.5), torch.zeros(1, 1, 1, 1)
    assert Laplace(scale=0.5).nll(x, mean).item() == pytest.approx(1 + log(1.0))
    assert Laplace(scale=0.25).nll(x, mean).item() == pytest.approx(2 + log(0.5))


def test_a_smaller_sigma_weighs_the_same_misfit_more():
    x, mean = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    fit = [Gaussian(s).nll(x, mean).item() - Gaussian(s).nll(mean, mean).item() for s in (1.0, 0.5)]
    assert fit == pytest.approx([0.5, 2.0])


def test_learning_sigma_ends_at_the_root_mean_squared_error(generator):
    likelihood = LearnedGaussian(sigma=1.0)
    x = 0.2 * torch.randn(8, 1, 8, 8, generator=generator)
    optimizer = torch.optim.LBFGS(likelihood.parameters(), max_iter=50)

    def loss():
        optimizer.zero_grad()
        nll = likelihood.nll(x, torch.zeros_like(x)).mean()
        nll.backward()
        return nll

    optimizer.step(loss)
    assert likelihood.log_sigma.exp().item() == pytest.approx(x.square().mean().sqrt().item(), rel=1e-3)


def test_optimal_sigma_gives_the_closed_form_of_the_mean_nll(generator):
    x, mean = torch.randn(2, 4, 3, 5, 5, generator=generator)
    expected = 75 / 2 * log(2 * pi * e * (x - mean).square().mean().item())
    assert OptimalGaussian().nll(x, mean).mean().item() == pytest.approx(expected)


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.1, 2.0])
def test_no_fixed_sigma_beats_the_optimal_one_on_the_same_batch(factor, generator):
    x, mean = torch.randn(2, 4, 3, 5, 5, generator=generator)
    best = (x - mean).square().mean().sqrt().item()
    optimal = OptimalGaussian().nll(x, mean).mean()
    assert optimal < Gaussian(factor * best).nll(x, mean).mean()
    torch.testing.assert_close(optimal, Gaussian(best).nll(x, mean).mean())


def test_the_gradient_through_the_optimal_sigma_is_that_of_half_d_log_mse(generator):
    x, mean = torch.randn(2, 4, 1, 5, 5, generator=generator)
    mean.requires_grad_()
    (ours,) = torch.autograd.grad(OptimalGaussian().nll(x, mean).mean(), mean)
    (expected,) = torch.autograd.grad(25 / 2 * (x - mean).square().mean().log(), mean)
    torch.testing.assert_close(ours, expected)


def test_the_optimal_sigma_ties_the_images_of_a_batch_together():
    x, mean = torch.zeros(2, 1, 1, 1), torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1).requires_grad_()  # variance 5
    (gradient,) = torch.autograd.grad(OptimalGaussian().nll(x, mean)[0], mean)
    slope = -1 / (2 * 5**2) + 1 / (2 * 5)  # of the first image's nll in the variance, which rises by 1 and by 3
    assert gradient.flatten().tolist() == pytest.approx([1 / 5 + slope * 1, slope * 3])


def test_evaluation_keeps_the_sigma_of_training_and_does_not_fit_it_to_what_it_scores():
    likelihood, x = OptimalGaussian(), torch.full((2, 1, 4, 4), 0.5)
    for _ in range(200):
        likelihood.nll(x, torch.zeros_like(x))
    likelihood.eval()
    assert likelihood.variance.item() == pytest.approx(0.25, rel=1e-4)
    y = 2 * x  # twice as far away: 16 pixels of squared distance 1
    expected = 16 * (1 / (2 * 0.25) + 0.5 * log(2 * pi * 0.25))
    assert likelihood.nll(y, torch.zeros_like(y)).tolist() == pytest.approx([expected] * 2, rel=1e-4)
    assert likelihood.variance.item() == pytest.approx(0.25, rel=1e-4)


def test_a_training_batch_moves_the_variance_of_evaluation_by_a_tenth_of_the_way():
    """From 1 towards a mean squared error of 1/4, by the mean over all entries of all images."""
    likelihood, x = OptimalGaussian(), torch.zeros(2, 1, 1, 2)
    likelihood.nll(x, torch.tensor([[1.0, 0.0], [0.0, 0.0]]).view(2, 1, 1, 2))
    assert likelihood.variance.item() == pytest.approx(1 - 0.1 * 0.75)


def test_draws_are_the_mean_and_the_deviation_times_noise():
    out = torch.tensor([0.5, -1.0]).view(1, 1, 1, 2)
    optimal = OptimalGaussian()
    optimal.variance.fill_(0.04)
    noise = torch.randn(1, 1, 1, 2, generator=torch.Generator().manual_seed(0))
    for likelihood in (Gaussian(0.2), LearnedGaussian(0.2), optimal):
        draw = likelihood.sample(out, torch.Generator().manual_seed(0)).detach()
        torch.testing.assert_close(draw, out + 0.2 * noise)


def test_a_perfect_reconstruction_has_a_finite_optimal_nll():
    x = torch.zeros(2, 1, 4, 4)
    expected = 16 * (log(1 / 255) + 0.5 * log(2 * pi))
    assert OptimalGaussian().nll(x, x).tolist() == pytest.approx([expected] * 2)


@pytest.mark.parametrize("likelihood", ALL[:-1], ids=named)
def test_the_mean_image_of_the_others_is_what_the_decoder_returns(likelihood, generator):
    out = torch.randn(2, 3, 4, 4, generator=generator)
    assert torch.equal(likelihood.mean(out), out)
    assert likelihood.decoder_options == {}


@pytest.mark.parametrize("likelihood", ALL, ids=named)
def test_draws_average_to_the_mean_image_and_follow_their_generator(likelihood):
    out = torch.full((1, 1, 300, 300), 0.4)
    draws = [likelihood.sample(out, torch.Generator().manual_seed(seed)).detach() for seed in (0, 0, 1)]
    assert draws[0].mean().item() == pytest.approx(likelihood.mean(out).mean().item(), abs=0.02)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize(
    ("likelihood", "deviation"),
    [(Gaussian(0.2), 0.2), (LearnedGaussian(0.2), 0.2), (OptimalGaussian(), 1.0), (Laplace(0.2), 0.2 * 2**0.5)],
    ids=lambda value: named(value) if isinstance(value, nn.Module) else str(value),
)
def test_the_noise_has_the_spread_of_the_density(likelihood, deviation, generator):
    noise = likelihood.sample(torch.zeros(1, 1, 200, 200), generator)
    assert noise.std().item() == pytest.approx(deviation, rel=0.02)


@pytest.mark.parametrize("likelihood", ALL[:-1], ids=named)
def test_the_others_take_any_values_silently(likelihood, caplog):
    likelihood.check(torch.tensor([-3.0, 0.5, 3.0]).reshape(1, 1, 1, 3))
    assert caplog.text == ""


@pytest.mark.parametrize("name", options("model/likelihood"))
def test_every_likelihood_prefers_the_decoder_that_is_right(name, generator):
    likelihood = build(config(f"model/likelihood={name}").model.likelihood)
    x = 2.0 * torch.randint(0, 2, (4, 1, 5, 5), generator=generator) - 1
    right, wrong = likelihood.nll(x, 0.9 * x), likelihood.nll(x, -0.9 * x)
    assert right.shape == (4,)
    assert (right < wrong).all()
