"""From values to sentences."""

import pytest

from genlab.callbacks.health_rules import RULES, Limits, findings

GOOD = {"diversity": 0.8, "distinctness": 0.7, "saturation": 0.05, "non_finite": 0.0}
NAN = float("nan")


def signs(first_norms=None, **values):
    return [finding.sign for finding in findings(GOOD | values, first_norms or {}, Limits(), set())]


@pytest.mark.parametrize(
    ("values", "sign"),
    [
        ({"diversity": 0.02}, "samples_collapsed"),
        ({"distinctness": 0.01}, "samples_repeat"),
        ({"saturation": 0.5}, "samples_saturated"),
        ({"active_units": 0}, "codes_collapsed"),
        ({"codes_used": 0.05}, "codebook_unused"),
        ({"d_accuracy_real": 0.99, "d_accuracy_fake": 1.0}, "d_won"),
        ({"non_finite": 0.5, "diversity": NAN, "distinctness": NAN, "saturation": NAN}, "non_finite"),
        ({"grad_norm_encoder": 1e-9}, "gradient_vanished/encoder"),
        ({"grad_norm_encoder": float("inf")}, "non_finite/encoder"),
    ],
)
def test_each_value_beyond_its_limit_is_one_sign(values, sign):
    assert signs(**values) == [sign]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"diversity": 0.11, "distinctness": 0.06, "saturation": 0.29},
        {"active_units": 1},
        {"codes_used": 0.11},
        {"d_accuracy_real": 1.0, "d_accuracy_fake": 0.9},  # D judges one side well: it calls all real
        {"d_accuracy_real": 0.5, "d_accuracy_fake": 0.5},  # where the game ends
        {"distinctness": NAN},  # most images are copies themselves
        {"grad_norm_encoder": 1e6},  # a norm alone says nothing: it depends on the loss's units
    ],
)
def test_values_within_their_limits_are_no_sign(values):
    assert signs(**values) == []


def test_a_gradient_has_exploded_if_it_has_grown_a_thousandfold():
    first = {"grad_norm_decoder": 2.0}
    assert signs(first, grad_norm_decoder=1999.0) == []
    assert signs(first, grad_norm_decoder=2001.0) == ["gradient_exploded/decoder"]


def test_a_total_collapse_is_said_once():
    assert signs(diversity=0.0, distinctness=0.0) == ["samples_collapsed"]


def test_a_remedy_fits_the_losses_that_the_model_has():
    def text(*terms):
        return findings(GOOD | {"diversity": 0.02}, {}, Limits(), terms)[0].message

    vae, gan = text("loss", "nll", "kl"), text("d_loss", "g_loss")
    assert "(diversity 0.02 of the data's)" in vae
    assert "model.likelihood.sigma" in vae
    assert "model.likelihood.sigma" not in gan
    assert "+model/penalty@model.objective.penalties.r1=r1" in gan
    assert "+model/penalty" not in vae
    assert "model.mmd_weight" in text("loss", "distance", "mmd")
    assert text("loss").endswith("Try a smaller model.optimizer.lr.")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.sign)
def test_every_sign_has_a_remedy_for_any_model_and_more_for_an_adversarial_one(rule):
    any_model, adversarial = (sum(term in ("", *terms) for term, _ in rule.remedies) for terms in ([], ["d_loss"]))
    assert any_model
    assert adversarial > any_model or rule.sign in ("non_finite", "codebook_unused")
