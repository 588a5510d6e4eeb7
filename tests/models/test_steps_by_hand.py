"""One update of each adversarial model, of scalar networks, by hand.

All networks are multiplications, D's loss is a difference of logits (Wasserstein) and each player descends with a step
of 1: a weight w becomes w - dloss/dw. So each number below is a sum of products, and each term of each loss is in one.
"""

from math import log

import pytest
import torch
from scalar_models import Posterior, TwoStages, fitted, line, made, updated, weight

from genlab.losses import R1, Hinge, Objective, Wasserstein
from genlab.models import AAE, AEGAN, GAN, VAEGAN, BiGAN


def test_gan():
    """Fakes g z = 1, 2. d - (1.5 - 4) = 2.75. G meets the new D: g + 2.75 * 3."""
    gan = updated(GAN, [3.0, 5.0], [2.0, 4.0], generator=line(0.5), discriminator=line(0.25))
    assert weight(gan.discriminator) == [pytest.approx(2.75)]
    assert weight(gan.generator) == [pytest.approx(0.5 + 2.75 * 3)]
    assert gan.terms["d_loss"].item() == pytest.approx(0.25 * (1.5 - 4))
    assert gan.terms["g_loss"].item() == pytest.approx(-2.75 * 1.5)


def test_a_gan_with_fresh_fakes_draws_other_codes_for_g_than_for_d():
    """D sees the codes 2 and 4, and G, which meets d = 2.75 as above, steps on the next two draws, 6 and 8."""
    draws = iter([[2.0, 4.0], [6.0, 8.0]])
    networks = {"generator": line(0.5), "discriminator": line(0.25)}
    gan = made(GAN, [], objective=Objective(Wasserstein()), fresh=True, **networks)
    gan.prior = lambda n, generator=None: torch.tensor(next(draws)).view(-1, 1)
    fitted(gan, [3.0, 5.0])
    assert weight(gan.discriminator) == [pytest.approx(2.75)]
    assert weight(gan.generator) == [pytest.approx(0.5 + 2.75 * 7)]
    assert gan.terms["g_loss"].item() == pytest.approx(-2.75 * 3.5)


def test_gan_with_r1():
    """R1 of weight 2 is d^2, its derivative 2 d = 0.5."""
    gan = updated(GAN, [3.0], [2.0], penalties={"r1": R1(2.0)}, generator=line(0.5), discriminator=line(0.25))
    assert gan.terms["r1"].item() == pytest.approx(0.25**2)
    assert weight(gan.discriminator) == [pytest.approx(0.25 - (1 - 3) - 0.5)]
    assert weight(gan.generator) == [pytest.approx(0.5 + 1.75 * 2)]


def test_the_penalty_of_an_augmented_gan_is_that_in_the_image_before():
    """D sees twice the image: the logit is 2 d x, R1 of weight 2 is (2 d)^2 = 4 d^2, its derivative 8 d = 2."""

    def doubled(images, generator=None):
        return 2 * images

    networks = {"generator": line(0.5), "discriminator": line(0.25)}
    gan = updated(GAN, [3.0], [2.0], penalties={"r1": R1(2.0)}, augment=doubled, **networks)
    assert gan.terms["r1"].item() == pytest.approx(4 * 0.25**2)
    d = 0.25 - 2 * (1 - 3) - 2
    assert weight(gan.discriminator) == [pytest.approx(d)]
    assert weight(gan.generator) == [pytest.approx(0.5 + 2 * d * 2)]


def test_aae_in_one_step():
    """As below, with the adversary at the weight 2 in the same step, where it meets the old D: -d e x = -0.25.

    The encoder goes to e + 3 + 2 * 0.5 and the decoder to c + 1. D sees the code of before, 1, beside the prior's 4.
    """
    networks = {"encoder": line(0.5), "decoder": line(1.5), "code_discriminator": line(0.25)}
    aae = updated(AAE, [2.0], [4.0], adversarial_weight=2.0, **networks)
    assert aae.terms["autoencoder_loss"].item() == pytest.approx(0.25 - 2 * 0.25)
    assert weight(aae.encoder) == [pytest.approx(0.5 + 3.0 + 1.0)]
    assert weight(aae.decoder) == [pytest.approx(2.5)]
    assert weight(aae.discriminator) == [pytest.approx(0.25 + 4 - 1)]


def test_aae():
    """x = 2, e x = 1, x_hat = 1.5, so the error is 0.5: c + 2 * 0.5 * 1, e + 2 * 0.5 * 1.5 * 2 = 3.5.

    Then the code is 7 and the prior's 4: d - (7 - 4) = -2.75, and the encoder e + d x = 3.5 - 5.5.
    """
    aae = updated(AAE, [2.0], [4.0], encoder=line(0.5), decoder=line(1.5), code_discriminator=line(0.25))
    assert aae.terms["distance"].item() == pytest.approx(0.25)
    assert weight(aae.decoder) == [pytest.approx(2.5)]
    assert aae.terms["d_loss"].item() == pytest.approx(0.25 * 3)
    assert weight(aae.discriminator) == [pytest.approx(-2.75)]
    assert aae.terms["g_loss"].item() == pytest.approx(2.75 * 7)
    assert weight(aae.encoder) == [pytest.approx(-2.0)]


def test_aegan():
    """x = 2, fakes x_hat = 1.5 and c z = 6, 3.75 on average: d - (3.75 - 2) = -1.5.

    The loss is 0.5^2 + 2 * 1.5 * (c e x + c z) / 2. In c: -2 * 0.5 * 1 + 1.5 * (1 + 4) = 6.5. In e: -2 * 0.5 * 3 +
    1.5 * 3 = 1.5.
    """
    networks = {"encoder": line(0.5), "decoder": line(1.5), "discriminator": line(0.25)}
    aegan = updated(AEGAN, [2.0], [4.0], adversarial_weight=2.0, **networks)
    assert weight(aegan.discriminator) == [pytest.approx(-1.5)]
    assert weight(aegan.decoder) == [pytest.approx(1.5 - 6.5)]
    assert weight(aegan.encoder) == [pytest.approx(0.5 - 1.5)]
    terms = {name: term.item() for name, term in aegan.terms.items()}
    assert (terms["distance"], terms["g_loss"]) == (pytest.approx(0.25), pytest.approx(1.5 * 3.75))
    assert terms["loss"] == pytest.approx(0.25 + 2 * 1.5 * 3.75)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_vaegan(gamma, monkeypatch):
    """x = 2; mean 1, variance 4, z = mean + sd / 2 = 2; x_hat = 3, features 4 and 6, prior's z = 4.

    Encoder: KL is (1 + 4 - 1 - log 4) / 2 and L_llike (6 - 4)^2 / 2. In the slope 1 * 2 + 2 * (2 * 1.5 * 2) = 14, in
    the log variance (4 - 1) / 2 + 2 * (2 * 1.5 * 0.5) = 4.5, as dz/dlogvar = sd / 4.
    Decoder: in c gamma * 2 * (2 * 2) - 2 * 0.25 * (2 + 4) / 2 = 8 gamma - 1.5.
    D: fakes 3 and 6, so 2.5 more than x on average: in a 2.5 * 0.25, in b 2.5 * 2.
    """
    monkeypatch.setattr(
        "genlab.models.vaegan.reparametrise", lambda mean, logvar, generator: mean + 0.5 * (0.5 * logvar).exp()
    )
    networks = {
        "encoder": lambda *_: Posterior(0.5, log(4.0)),
        "decoder": line(1.5),
        "discriminator": lambda *_: TwoStages(2.0, 0.25),
    }
    vaegan = updated(VAEGAN, [2.0], [4.0], gamma=gamma, **networks)
    terms = {name: term.item() for name, term in vaegan.terms.items()}
    assert (terms["kl"], terms["llike"]) == (pytest.approx((4 - log(4.0)) / 2), pytest.approx(2.0))
    assert terms["encoder_loss"] == pytest.approx(terms["kl"] + 2)
    assert vaegan.encoder.slope.item() == pytest.approx(0.5 - 14)
    assert vaegan.encoder.logvar.item() == pytest.approx(log(4.0) - 4.5)
    assert terms["g_loss"] == pytest.approx(-0.5 * 4.5)
    assert terms["decoder_loss"] == pytest.approx(gamma * 2 - 0.5 * 4.5)
    assert weight(vaegan.decoder) == [pytest.approx(1.5 - (8 * gamma - 1.5))]
    assert terms["d_loss"] == pytest.approx(0.5 * 2.5)
    assert vaegan.discriminator.a.item() == pytest.approx(2 - 0.625)
    assert vaegan.discriminator.b.item() == pytest.approx(0.25 - 5)


def test_a_vaegan_whose_decoder_waits_shows_d_the_same_fakes_as_if_it_did_not(monkeypatch):
    """As above, but of two updates of D the first: fakes 3 and 6, in a 2.5 * 0.25, in b 2.5 * 2."""
    monkeypatch.setattr(
        "genlab.models.vaegan.reparametrise", lambda mean, logvar, generator: mean + 0.5 * (0.5 * logvar).exp()
    )
    networks = {
        "encoder": lambda *_: Posterior(0.5, log(4.0)),
        "decoder": line(1.5),
        "discriminator": lambda *_: TwoStages(2.0, 0.25),
    }
    vaegan = updated(VAEGAN, [2.0], [4.0], d_steps=2, **networks)
    assert list(vaegan.terms) == ["d_loss"]
    assert vaegan.discriminator.a.item() == pytest.approx(2 - 0.625)
    assert vaegan.discriminator.b.item() == pytest.approx(0.25 - 5)
    assert weight(vaegan.decoder) == [1.5]
    assert vaegan.encoder.slope.item() == 0.5


PAIRS = {"encoder": line(0.5), "decoder": line(1.5), "n_features": 1}


def test_bigan():
    """Pairs (2, 1) and (6, 4), D(x, z) = j l x + k z with l = 2, j = 0.25, k = 0.5.

    D's loss is j l (6 - 2) + k (4 - 1): in l 1, in j 8, in k 3. Then G and E minimise D(x, e x) - D(c z, z): in c
    -j l z = 7.75 * 4, in e k x = -2.5 * 2.
    """
    bigan = updated(BiGAN, [2.0], [4.0], discriminator=line(2.0), code_discriminator=line(0.25, 0.5), **PAIRS)
    assert bigan.terms["d_loss"].item() == pytest.approx(0.5 * 4 + 0.5 * 3)
    assert weight(bigan.discriminator.looks) == [pytest.approx(1.0)]
    assert weight(bigan.discriminator.judges) == [pytest.approx(-7.75), pytest.approx(-2.5)]
    assert bigan.terms["g_loss"].item() == pytest.approx(7.75 * 6 + 2.5 * 4 - 7.75 * 2 - 2.5 * 1)
    assert weight(bigan.decoder) == [pytest.approx(1.5 - 31)]
    assert weight(bigan.encoder) == [pytest.approx(0.5 + 5)]


def test_g_and_e_of_a_bigan_with_the_hinge_loss_move_where_d_is_beyond_its_margin():
    """Pairs (2, 1) and (-6, -4): D says 2.5 and -8 and rests. In c -l j z = 4, in e k x = 1."""
    judges = {"discriminator": line(1.0), "code_discriminator": line(1.0, 0.5)}
    bigan = updated(BiGAN, [2.0], [-4.0], loss=Hinge(), **judges, **PAIRS)
    assert bigan.terms["d_loss"].item() == 0
    assert weight(bigan.discriminator.judges) == [1.0, 0.5]
    assert weight(bigan.decoder) == [pytest.approx(1.5 - 4)]
    assert weight(bigan.encoder) == [pytest.approx(0.5 - 1)]
