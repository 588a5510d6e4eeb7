"""The K-sample bound."""

from functools import partial
from math import log, pi

import pytest
import torch
from torch import nn

from genlab.errors import UsageError
from genlab.losses import Gaussian
from genlab.models import IWAE, VAE


class Constant(nn.Module):
    """A network that gives the same value for every input."""

    def __init__(self, value: torch.Tensor) -> None:
        super().__init__()
        self.value = nn.Parameter(value)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.value.expand(len(x), *self.value.shape)


def model(mean: float, logvar: float, kind=IWAE, **options):
    """On 2x2 images with a code of length 1; the networks ignore their input, so -log p(x) is the nll."""
    return kind(
        image_shape=(1, 2, 2),
        latent_dim=1,
        encoder=lambda *_: Constant(torch.tensor([mean, logvar])),
        decoder=lambda *_: Constant(torch.full((1, 2, 2), 0.5)),
        likelihood=Gaussian(1.0),
        optimizer=torch.optim.Adam,
        **options,
    )


X = torch.zeros(200, 1, 2, 2)
NLL = 4 * (0.5**2 / 2 + 0.5 * log(2 * pi))


@pytest.mark.parametrize("n_importance", [1, 5])
def test_where_the_posterior_is_the_prior_the_bound_is_exact(n_importance, generator):
    losses = model(0.0, 0.0, n_importance=n_importance).losses(X, generator)
    assert losses["loss"].item() == pytest.approx(NLL, abs=1e-5)
    assert losses["kl"].item() == 0


def test_more_samples_tighten_the_bound_from_the_elbo_towards_the_likelihood(generator):
    """The posterior N(1, 1) is half a nat from the prior."""
    bounds = [model(1.0, 0.0, n_importance=k).losses(X, generator)["loss"].item() for k in (1, 10, 1000)]
    assert bounds[0] == pytest.approx(NLL + 0.5, abs=0.2)
    assert bounds[0] > bounds[1] > bounds[2]
    assert bounds[2] == pytest.approx(NLL, abs=0.02)


def test_the_elbo_of_the_same_model_is_the_mean_of_the_one_sample_bound(generator):
    elbo = model(1.0, 0.3, kind=VAE).losses(X)["loss"].item()
    one = [model(1.0, 0.3, n_importance=1).losses(X, generator)["loss"].item() for _ in range(50)]
    assert sum(one) / 50 == pytest.approx(elbo, abs=0.03)


@pytest.mark.parametrize("option", [{"beta": 4.0}, {"free_bits": 0.1}, {"warm_up": 100}])
def test_what_changes_the_elbo_is_refused(option):
    with pytest.raises(UsageError, match="model=vae"):
        model(0.0, 0.0, **option)


def test_every_sample_belongs_to_its_own_image(generator):
    """An encoder that copies the first pixel as the mean of a narrow posterior, a decoder that gives it back."""
    narrow = partial(torch.full, fill_value=-20.0)

    class Copy(nn.Module):
        def forward(self, x):
            return torch.cat([x[:, 0, 0, :1], narrow((len(x), 1))], 1)

    class Paint(nn.Module):
        def forward(self, z):
            return z[:, :, None, None].expand(-1, 1, 2, 2)

    copying = IWAE(
        (1, 2, 2), 1, lambda *_: Copy(), lambda *_: Paint(), Gaussian(1.0), n_importance=3, optimizer=torch.optim.Adam
    )
    x = torch.linspace(-1, 1, 8).view(8, 1, 1, 1).expand(8, 1, 2, 2)
    assert copying.losses(x, generator)["nll"].item() == pytest.approx(4 * 0.5 * log(2 * pi), abs=1e-3)
