"""The autoencoder."""

import pytest
import torch

from genlab.models import AE
from genlab.moments import Moments
from genlab.networks import MLP


@pytest.fixture
def model() -> AE:
    torch.manual_seed(0)
    return AE((1, 8, 8), 3, encoder=MLP, decoder=MLP, optimizer=torch.optim.Adam)


def test_the_loss_is_the_squared_distance_summed_over_pixels(model, generator):
    x = torch.randn(4, 1, 8, 8, generator=generator)
    expected = sum((a - b).square().sum() for a, b in zip(x, model.reconstruct(x), strict=True)) / 4
    torch.testing.assert_close(model.losses(x)["loss"], expected)


def test_before_training_the_prior_is_standard_normal(model, generator):
    z = model.prior(20_000, generator)
    torch.testing.assert_close(z.mean(0), torch.zeros(3), atol=0.03, rtol=0)
    torch.testing.assert_close(torch.cov(z.T), torch.eye(3), atol=0.05, rtol=0)


def test_the_prior_is_the_gaussian_fitted_to_training_codes(model, generator):
    codes = torch.randn(4000, 3, generator=generator) @ torch.tensor([[2.0, 0, 0], [1.0, 0.5, 0], [0, 0, 0.1]]) + 5
    model._epoch_codes = Moments(3)
    model._epoch_codes.update(codes)
    model.fit_prior()
    z = model.prior(50_000, generator)
    torch.testing.assert_close(z.mean(0), codes.mean(0), atol=0.05, rtol=0)
    torch.testing.assert_close(torch.cov(z.T), torch.cov(codes.T), atol=0.1, rtol=0)


def test_codes_that_never_vary_in_a_direction_can_be_sampled(model, generator):
    model._epoch_codes.update(torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 5.0]]))
    model.fit_prior()
    assert torch.allclose(model.prior(10, generator)[:, :2], torch.tensor([1.0, 2.0]), atol=1e-5)
