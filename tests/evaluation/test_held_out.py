"""Likelihoods, codes and reconstructions, against models whose numbers are known."""

from math import log, pi

import pytest
import torch
from brightness import Brightness
from settings import config
from torch import nn

from genlab.config.build import build
from genlab.evaluation import Codes, Likelihood, Losses, NotApplicable, Reconstruction, Subject, apply_measures
from genlab.losses.likelihood import Gaussian
from genlab.models import GAN, VAE

DIM, SIGMA = 64, 0.7


class Line(nn.Module):
    """z w with |w| = 1."""

    def __init__(self):
        super().__init__()
        self.w = torch.full((DIM,), DIM**-0.5)

    def forward(self, z):
        return (z * self.w).view(-1, 1, 8, 8)


class Linear(VAE):
    """p(x|z) = N(w z, sigma^2 I) with one entry of z, and its exact posterior: probabilistic PCA."""

    def __init__(self):
        super().__init__(
            image_shape=(1, 8, 8),
            latent_dim=1,
            encoder=lambda *_: nn.Identity(),
            decoder=lambda *_: Line(),
            likelihood=Gaussian(SIGMA),
            optimizer=torch.optim.SGD,
        )
        self.w = self.decoder.w

    def posterior(self, x):
        """N(w.x / (1 + sigma^2), sigma^2 / (1 + sigma^2))."""
        mean = (x.flatten(1) @ self.w)[:, None] / (1 + SIGMA**2)
        return mean, torch.full_like(mean, log(SIGMA**2 / (1 + SIGMA**2)))

    def log_p(self, x):
        """log N(x; 0, w w^T + sigma^2 I), whose covariance has the eigenvalues 1 + sigma^2 and sigma^2."""
        along = (x.flatten(1) @ self.w).square()
        rest = x.flatten(1).square().sum(1) - along
        log_det = log(1 + SIGMA**2) + (DIM - 1) * log(SIGMA**2)
        return -0.5 * (along / (1 + SIGMA**2) + rest / SIGMA**2 + log_det + DIM * log(2 * pi))


class Loose(Linear):
    """The same model with a posterior that is too wide."""

    def posterior(self, x):
        mean, logvar = super().posterior(x)
        return mean, logvar + 1


def subject(model, data):
    nothing = torch.zeros(10, 1, 8, 8, dtype=torch.uint8)
    return Subject("toy", lambda rows: nothing[rows], 10, data, Brightness(), torch.device("cpu"), None, model)


@pytest.fixture(scope="module")
def data():
    return build(config("data.size=8", "data.limit=60").data)


def likelihoods(model, data, k):
    return {n: m.value for n, m in apply_measures(subject(model, data), {"": Likelihood(k)}).measurements.items()}


def test_with_the_exact_posterior_the_bound_is_the_likelihood_for_any_k(data):
    model = Linear()
    expected = model.log_p(data.images("test").float() / 127.5 - 1).double().mean().item()
    for k in (1, 7, 25):
        found = likelihoods(model, data, k)
        assert found["log_likelihood_bound"] == pytest.approx(expected, rel=1e-5)
        assert found["bits_per_dimension"] == pytest.approx((-expected / DIM - log(2 / 255)) / log(2), rel=1e-5)
    assert likelihoods(model, data, 2000)["elbo"] == pytest.approx(expected, abs=0.1)


def test_with_another_posterior_the_elbo_lies_below_and_k_samples_close_the_gap(data):
    expected = Linear().log_p(data.images("test").float() / 127.5 - 1).double().mean().item()
    found = likelihoods(Loose(), data, 500)
    assert found["elbo"] < expected - 0.2
    assert found["log_likelihood_bound"] == pytest.approx(expected, abs=0.05)


def test_losses_are_the_models_own_averaged_over_images(data):
    class Brightest(Linear):
        def losses(self, x, generator=None):
            return {"level": x.mean()}

    found = apply_measures(subject(Brightest(), data), {"": Losses()}).measurements["level"]
    assert found.value == pytest.approx((data.images("test").double() / 127.5 - 1).mean().item(), rel=1e-5)
    assert found.stamp.n_real == 60


def test_codes_of_a_model_that_ignores_its_image_are_inactive_and_those_of_the_prior(data):
    class Collapsed(Linear):
        def posterior(self, x):
            return torch.zeros(len(x), 1), torch.zeros(len(x), 1)

    collapsed = apply_measures(subject(Collapsed(), data), {"": Codes()}).measurements
    assert collapsed["active_units"].value == 0
    assert collapsed["kl_per_dimension"].value == 0
    assert abs(collapsed["mmd_to_prior"].value) < 0.1
    used = apply_measures(subject(Linear(), data), {"": Codes()}).measurements
    assert used["active_units"].value == 1
    assert used["kl_per_dimension"].entries == (used["kl_per_dimension"].value,)
    assert used["mmd_to_prior"].value > 0.5


def test_perfect_reconstructions_have_no_error_and_no_distance(data):
    class Perfect(Linear):
        def reconstruct(self, x):
            return x

    found = apply_measures(subject(Perfect(), data), {"": Reconstruction()}).measurements
    assert found["reconstruction_mse"].value == 0
    assert found["reconstruction_ssim"].value == pytest.approx(1)
    assert found["reconstruction_fd_brightness"].value == pytest.approx(0, abs=1e-6)
    worse = apply_measures(subject(Linear(), data), {"": Reconstruction()}).measurements
    assert worse["reconstruction_mse"].value > 0.01
    assert worse["reconstruction_fd_brightness"].value > 1


@pytest.mark.parametrize("measure", [Likelihood(), Reconstruction(), Codes()])
def test_a_gan_and_a_folder_have_none_of_these(measure, data):
    gan = build(config("model=gan", "data.size=8").model)
    assert isinstance(gan, GAN)
    for model, reason in ((gan, "GAN has no"), (None, "a folder of images has no")):
        with pytest.raises(NotApplicable, match=reason):
            list(measure(subject(model, data)))
        assert apply_measures(subject(model, data), {"it": measure}).not_applicable["it"].startswith(reason)


def test_a_folder_has_no_losses_either(data):
    with pytest.raises(NotApplicable):
        list(Losses()(subject(None, data)))
