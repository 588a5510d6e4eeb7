"""The variational autoencoder."""

from math import log, pi

import pytest
import torch
from torch import nn

from genlab.losses import Gaussian
from genlab.models import VAE, reparametrise


class Constant(nn.Module):
    """A network that gives the same value for every input."""

    def __init__(self, value: torch.Tensor) -> None:
        super().__init__()
        self.value = nn.Parameter(value)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.value.expand(len(x), *self.value.shape)


def constant_vae(mean: float, logvar: float, pixel: float, sigma: float = 1.0, beta: float = 1.0) -> VAE:
    """A VAE on 2x2 images with a code of length 1, whose networks ignore their input."""
    return VAE(
        image_shape=(1, 2, 2),
        latent_dim=1,
        encoder=lambda *_: Constant(torch.tensor([mean, logvar])),
        decoder=lambda *_: Constant(torch.full((1, 2, 2), pixel)),
        likelihood=Gaussian(sigma),
        optimizer=torch.optim.Adam,
        beta=beta,
    )


def test_the_loss_is_the_negative_elbo_in_nats_per_image():
    losses = constant_vae(mean=2.0, logvar=0.0, pixel=0.5).losses(torch.zeros(3, 1, 2, 2))
    assert losses["kl"].item() == pytest.approx(2.0**2 / 2)
    assert losses["nll"].item() == pytest.approx(4 * (0.5**2 / 2 + 0.5 * log(2 * pi)))
    assert losses["loss"].item() == pytest.approx((losses["nll"] + losses["kl"]).item())


def test_beta_weighs_the_kl_alone():
    x = torch.zeros(1, 1, 2, 2)
    plain, weighed = (constant_vae(2.0, 0.0, 0.5, beta=beta).losses(x) for beta in (1.0, 4.0))
    assert (weighed["loss"] - plain["loss"]).item() == pytest.approx(3 * 2.0)


def test_reparametrised_codes_have_the_posteriors_moments(generator):
    mean, logvar = torch.full((20_000, 1), 1.5), torch.full((20_000, 1), 2 * log(0.5))
    z = reparametrise(mean, logvar, generator)
    assert z.mean().item() == pytest.approx(1.5, abs=0.02)
    assert z.std().item() == pytest.approx(0.5, abs=0.02)


def test_reparametrisation_is_differentiable_in_mean_and_variance(generator):
    mean, logvar = torch.zeros(1, 1, requires_grad=True), torch.zeros(1, 1, requires_grad=True)
    z = reparametrise(mean, logvar, generator)
    z.sum().backward()
    assert mean.grad.item() == 1.0
    assert logvar.grad.item() == pytest.approx(z.item() / 2)  # d exp(logvar / 2) e = e / 2 at 0


def test_samples_are_decoder_means_and_noisy_only_on_request():
    model = constant_vae(0.0, 0.0, pixel=0.25, sigma=0.5)
    assert torch.equal(model.sample(5), torch.full((5, 1, 2, 2), 0.25))
    noisy = model.sample(5000, noise=True)
    assert noisy.std().item() == pytest.approx(0.5, rel=0.05)


def test_encoding_gives_the_posterior_mean():
    assert constant_vae(mean=0.7, logvar=3.0, pixel=0.0).encode(torch.zeros(2, 1, 2, 2)).tolist() == [
        pytest.approx([0.7]),
        pytest.approx([0.7]),
    ]
