"""The Bernoulli likelihood: logits, and images that are black and white."""

import logging
from math import log

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli as TorchBernoulli

from genlab.errors import UsageError
from genlab.losses import Bernoulli


def black_and_white(*shape, generator):
    return 2.0 * torch.randint(0, 2, shape, generator=generator) - 1


def test_bernoulli_nll_is_the_log_probability_of_the_pixels(generator):
    x, logits = black_and_white(4, 1, 5, 5, generator=generator), torch.randn(4, 1, 5, 5, generator=generator)
    expected = -TorchBernoulli(logits=logits).log_prob((x + 1) / 2).flatten(1).sum(1)
    torch.testing.assert_close(Bernoulli().nll(x, logits), expected)


def test_an_undecided_bernoulli_pays_log_two_a_pixel():
    assert Bernoulli().nll(torch.ones(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)).item() == pytest.approx(12 * log(2))


def test_bernoulli_nll_of_a_grey_pixel_is_the_cross_entropy():
    x, logit = torch.full((1, 1, 1, 1), 0.5), torch.full((1, 1, 1, 1), log(3.0))  # white with 3/4, as x says
    entropy = -(0.75 * log(0.75) + 0.25 * log(0.25))
    assert Bernoulli().nll(x, logit).item() == pytest.approx(entropy)


def test_bernoulli_stays_finite_for_sure_logits():
    sure = torch.full((1, 1, 1, 1), 200.0)
    assert Bernoulli().nll(torch.ones_like(sure), sure).item() == 0.0
    assert Bernoulli().nll(-torch.ones_like(sure), sure).item() == 200.0


def test_the_mean_image_of_logits_runs_from_black_to_white():
    logits = torch.tensor([-100.0, 0.0, log(3.0), 100.0]).reshape(1, 1, 1, 4)
    assert Bernoulli().mean(logits).flatten().tolist() == pytest.approx([-1.0, 0.0, 0.5, 1.0])


def test_bernoulli_asks_the_decoder_for_logits():
    assert Bernoulli().decoder_options == {"output": nn.Identity}


def test_bernoulli_draws_are_black_and_white(generator):
    assert set(Bernoulli().sample(torch.zeros(1, 1, 20, 20), generator).unique().tolist()) == {-1.0, 1.0}


@pytest.mark.parametrize("bad", [1.5, -1.01, float("nan")])
def test_bernoulli_refuses_values_outside_of_the_image_range(bad):
    with pytest.raises(UsageError, match=r"\[-1, 1\]"):
        Bernoulli().check(torch.tensor([-1.0, bad, 1.0]).reshape(1, 1, 1, 3))


def test_bernoulli_warns_once_of_grey_levels_and_never_of_black_and_white(generator, caplog):
    likelihood = Bernoulli()
    with caplog.at_level(logging.WARNING):
        likelihood.check(black_and_white(4, 1, 5, 5, generator=generator))
        assert caplog.text == ""
        for _ in range(3):
            likelihood.check(torch.full((1, 1, 2, 2), 0.5))
    assert len(caplog.records) == 1
    assert "data.binarize=dynamic" in caplog.text
