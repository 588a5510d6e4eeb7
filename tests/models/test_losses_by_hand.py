"""What each model says of images that it does not train on, of scalar networks, by hand."""

from math import exp, log, pi

import pytest
import torch
from scalar_models import Posterior, TwoStages, images, line, made

from genlab.losses import Bernoulli, Gaussian, Hinge, Objective, RelativisticPairing
from genlab.models import AAE, AEGAN, GAN, IWAE, VAE, VAEGAN, BiGAN

LINES = {"encoder": line(0.5), "decoder": line(1.5)}


def evaluated(make, x, prior, loss=None, **options):
    """All losses of images and codes that are given by their numbers."""
    model = made(make, prior, objective=Objective(loss or Hinge()), **options)
    with torch.no_grad():
        return {name: pytest.approx(term.item()) for name, term in model.losses(images(x)).items()}


def test_gan():
    """D says d x = 0.75, 1.25 and of fakes 0.25, -0.5: hinge 0.25 / 2 + (1.25 + 0.5) / 2; G's loss is -(-0.125)."""
    networks = {"generator": line(0.5), "discriminator": line(0.25)}
    assert evaluated(GAN, [3.0, 5.0], [2.0, -4.0], **networks) == {
        "d_loss": 0.125 + 0.875,
        "g_loss": 0.125,
        "d_accuracy_real": 1.0,
        "d_accuracy_fake": 0.5,
    }


def test_aae():
    """Codes 1, -1 are the fakes, draws 4, -6 the reals: D says 1, -1.5 of reals and 0.25, -0.25 of fakes."""
    assert evaluated(AAE, [2.0, -2.0], [4.0, -6.0], code_discriminator=line(0.25), **LINES) == {
        "distance": 0.25,
        "d_loss": (0 + 2.5) / 2 + (1.25 + 0.75) / 2,
        "g_loss": 0.0,
        "d_accuracy_real": 0.5,
        "d_accuracy_fake": 0.5,
    }


def test_aegan():
    """x = 2: D says 0.5 of it, 0.375 of its reconstruction 1.5 and 1.5 of the decoded draw 6."""
    assert evaluated(AEGAN, [2.0], [4.0], discriminator=line(0.25), **LINES) == {
        "distance": 0.25,
        "d_loss": 0.5 + (1.375 + 2.5) / 2,
        "g_loss": -(0.375 + 1.5) / 2,
        "d_accuracy_real": 1.0,
        "d_accuracy_fake": 0.0,
    }


def test_vaegan(monkeypatch):
    """x = 2; mean 1, variance 4, z = 2; x_hat = 3 and a draw's -6; features 4 and 6; D says 1, 1.5 and -3."""
    monkeypatch.setattr(
        "genlab.models.vaegan.reparametrise", lambda mean, logvar, generator: mean + 0.5 * (0.5 * logvar).exp()
    )
    networks = {
        "encoder": lambda *_: Posterior(0.5, log(4.0)),
        "decoder": line(1.5),
        "discriminator": lambda *_: TwoStages(2.0, 0.25),
    }
    assert evaluated(VAEGAN, [2.0], [-4.0], **networks) == {
        "kl": (4 - log(4.0)) / 2,
        "llike": 2.0,
        "distance": 1.0,
        "d_loss": 0 + (2.5 + 0) / 2,
        "g_loss": 0.75,
        "d_accuracy_real": 1.0,
        "d_accuracy_fake": 0.5,
    }


PAIRS = {"discriminator": line(2.0), "code_discriminator": line(0.25, 0.5), "n_features": 1}


def test_bigan():
    """Pairs (2, 1) and (-6, -4): D says 1 + 0.5 and -3 - 2. The hinge game's boundary is 0, so E's loss is 1.5."""
    assert evaluated(BiGAN, [2.0], [-4.0], **PAIRS, **LINES) == {
        "d_loss": 0.0,
        "g_loss": 5.0 + 1.5,
        "d_accuracy_real": 1.0,
        "d_accuracy_fake": 1.0,
    }


def test_a_relativistic_bigan_compares_the_pairs_once_and_has_no_boundary():
    losses = evaluated(BiGAN, [2.0], [-4.0], loss=RelativisticPairing(), **PAIRS, **LINES)
    assert losses == {"d_loss": pytest.approx(0.0, abs=2e-3), "g_loss": pytest.approx(6.5, abs=2e-3)}


@pytest.mark.parametrize("make", [VAE, IWAE])
def test_a_likelihood_reads_the_image_and_what_the_decoder_says_in_this_order(make, monkeypatch):
    """A white pixel with a logit of 3 costs softplus(3) - 3; exchanged, softplus(1) - 2."""
    monkeypatch.setattr("genlab.models.vae.reparametrise", lambda mean, logvar, generator: mean)
    networks = {"encoder": lambda *_: Posterior(2.0, 0.0), "decoder": lambda *_, **options: line(1.5)(*_)}
    model = made(make, [0.0], likelihood=Bernoulli(), **networks)
    assert model.losses(images([1.0]))["nll"].item() == pytest.approx(log(1 + exp(3.0)) - 3)


def test_iwae_weighs_each_code_by_likelihood_prior_and_posterior(monkeypatch):
    """z = 2 and 0 at mean 1, sd 2: log p(x|z) + log p(z) - log q(z|x), for x = 2 and x_hat = 3, 0, with sigma = 2."""

    def two(mean, logvar, generator):
        return mean + torch.tensor([[0.5], [-0.5]]) * (0.5 * logvar).exp()

    monkeypatch.setattr("genlab.models.vae.reparametrise", two)
    networks = {"encoder": lambda *_: Posterior(0.5, log(4.0)), "decoder": line(1.5), "likelihood": Gaussian(2.0)}
    iwae = made(IWAE, [0.0], n_importance=2, **networks)
    x = images([2.0])
    log_weights, nll = iwae.importance(x, *iwae.posterior(x), 2)
    half = log(2 * pi) / 2
    assert nll.flatten().tolist() == pytest.approx([1 / 8 + log(2.0) + half, 4 / 8 + log(2.0) + half])
    posterior = 1 / 8 + log(2.0) + half  # -log q of both: half a deviation from the mean
    expected = [-1 / 8 - log(2.0) - half - 2 - half + posterior, -4 / 8 - log(2.0) - half - half + posterior]
    assert log_weights.flatten().tolist() == pytest.approx(expected)
    assert log_weights.shape == nll.shape == (2, 1)
