"""One step of each model without an adversary, of scalar networks, by hand: w becomes w - dloss/dw."""

from functools import partial
from math import exp, log, pi

import pytest
import torch
from scalar_models import Posterior, fitted, images, line, made, weight

from genlab.losses import Gaussian, mmd
from genlab.models import AE, IWAE, VAE, WAE

SGD = partial(torch.optim.SGD, lr=1.0)
LINES = {"encoder": line(0.5), "decoder": line(1.5)}
VARIATIONAL = {"encoder": lambda *_: Posterior(0.5, log(4.0)), "decoder": line(1.5), "likelihood": Gaussian(2.0)}


def test_ae():
    """x = 2, 4; codes 1, 2; reconstructions 1.5, 3, so errors 0.5 and 1.

    In c -2 (0.5 * 1 + 1 * 2) / 2 = -2.5, in e -2 (0.5 * 1.5 * 2 + 1 * 1.5 * 4) / 2 = -7.5. The codes of the epoch
    have the mean 1.5 and the variance 2 (0.5)^2 / (2 - 1).
    """
    ae = fitted(AE((1, 1, 1), 1, optimizer=SGD, **LINES), [2.0, 4.0])
    assert ae.terms["loss"].item() == pytest.approx((0.25 + 1) / 2)
    assert weight(ae.decoder) == [pytest.approx(1.5 + 2.5)]
    assert weight(ae.encoder) == [pytest.approx(0.5 + 7.5)]
    assert ae.code_mean.tolist() == [pytest.approx(1.5)]
    assert ae.code_cov.tolist() == [[pytest.approx(0.5)]]


def test_a_corrupted_image_is_the_image_and_noise_of_that_deviation():
    ae = AE((1, 1, 1), 1, optimizer=SGD, corruption=2.0, **LINES)
    ae.noise = torch.Generator().manual_seed(0)
    noise = torch.randn(3, 1, 1, 1, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ae.corrupted(torch.full((3, 1, 1, 1), 0.5)), 0.5 + 2 * noise)


def test_a_gaussian_prior_is_its_mean_and_the_symmetric_root_times_noise(generator):
    """[[5, 4], [4, 5]] has the root [[2, 1], [1, 2]]."""
    ae = AE((1, 1, 1), 2, optimizer=SGD, **LINES)
    ae.code_mean.copy_(torch.tensor([1.0, -1.0]))
    ae.code_cov.copy_(torch.tensor([[5.0, 4.0], [4.0, 5.0]]))
    a, b = torch.randn(1, 2, generator=torch.Generator().manual_seed(0))[0].tolist()
    assert ae.prior(1, generator)[0].tolist() == pytest.approx([1 + 2 * a + b, -1 + a + 2 * b])


@pytest.mark.parametrize(("warm_up", "kl_weight"), [(0, 3.0), (4, 0.75)])
def test_vae(warm_up, kl_weight, monkeypatch):
    """x = 2; mean 1, variance 4, z = mean + sd / 2 = 2; x_hat = 3, one off, with sigma = 2 and beta = 3.

    nll = 1 / 8 + log 2 + log(2 pi) / 2, and KL = (1 + 4 - 1 - log 4) / 2. The image is the first of four of a warm-up.
    In c 1/4 * 2. In z 1/4 * 1.5 = 0.375: in the slope 0.375 * 2 + w * 1 * 2, and in the log variance, as dz/dlogvar =
    sd / 4, 0.375 / 2 + w (4 - 1) / 2.
    """
    monkeypatch.setattr(
        "genlab.models.vae.reparametrise", lambda mean, logvar, generator: mean + 0.5 * (0.5 * logvar).exp()
    )
    vae = fitted(VAE((1, 1, 1), 1, optimizer=SGD, beta=3.0, warm_up=warm_up, **VARIATIONAL), [2.0])
    nll, kl = 1 / 8 + log(2.0) + log(2 * pi) / 2, (4 - log(4.0)) / 2
    assert {name: term.item() for name, term in vae.terms.items()} == {
        "nll": pytest.approx(nll),
        "kl": pytest.approx(kl),
        "loss": pytest.approx(nll + kl_weight * kl),
    }
    assert weight(vae.decoder) == [pytest.approx(1.5 - 0.5)]
    assert vae.encoder.slope.item() == pytest.approx(0.5 - 0.75 - 2 * kl_weight)
    assert vae.encoder.logvar.item() == pytest.approx(log(4.0) - 0.1875 - 1.5 * kl_weight)


def test_iwae(monkeypatch):
    """x = 2; mean 1, sd 2, z = 2 and 0, so x_hat = 3 and 0: one and two off.

    Without what all have in common log w is -1/8 - 2 + 1/8 and -4/8 - 0 + 1/8: log p(x|z), log p(z), -log q(z|x), with
    z half a deviation off the mean. So the second weighs more, by exp(-2 + 3/8) = 0.1969 to 1. In c
    (1/4 * 2 * 0.1969 + 0) / 1.1969, as the second code is 0.
    """

    def two(mean, logvar, generator):
        return mean + torch.tensor([[0.5], [-0.5]]) * (0.5 * logvar).exp()

    monkeypatch.setattr("genlab.models.vae.reparametrise", two)
    iwae = fitted(IWAE((1, 1, 1), 1, optimizer=SGD, n_importance=2, **VARIATIONAL), [2.0])
    common = log(2.0) + log(2 * pi) / 2  # -log of the constants of p(x|z); those of p(z) and q differ by the sd of q
    weights = [exp(-1 / 8 - 2 + 1 / 8), exp(-4 / 8 + 1 / 8)]
    assert iwae.terms["loss"].item() == pytest.approx(common - log(2.0) - log(sum(weights) / 2))
    assert iwae.terms["nll"].item() == pytest.approx(common + (1 / 8 + 4 / 8) / 2)
    assert iwae.terms["kl"].item() == pytest.approx((4 - log(4.0)) / 2)
    assert weight(iwae.decoder) == [pytest.approx(1.5 - 0.5 * weights[0] / sum(weights))]


def test_wae():
    """x = 2, 4; codes 1, 2; the distance, and so the decoder's step, is that of the autoencoder: no MMD is in it."""
    wae = fitted(made(WAE, [3.0, 0.0], mmd_weight=7.0, **LINES), [2.0, 4.0])
    expected = mmd(torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [0.0]])).item()
    assert wae.terms["distance"].item() == pytest.approx(0.625)
    assert wae.terms["mmd"].item() == pytest.approx(expected)
    assert wae.terms["loss"].item() == pytest.approx(0.625 + 7 * expected)
    assert weight(wae.decoder) == [pytest.approx(1.5 + 2.5)]
    e = torch.tensor(0.5, requires_grad=True)
    z = e * images([2.0, 4.0]).flatten(1)
    ((images([2.0, 4.0]).flatten(1) - 1.5 * z).square().mean() + 7 * mmd(z, torch.tensor([[3.0], [0.0]]))).backward()
    assert weight(wae.encoder) == [pytest.approx(0.5 - e.grad.item())]
