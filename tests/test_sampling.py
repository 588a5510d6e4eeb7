"""Samples as they are scored and shown."""

from types import SimpleNamespace

import pytest
import torch
from settings import config

from genlab.config.build import build
from genlab.sampling import drawn, kind, sampler

BERNOULLI = ("model/likelihood=bernoulli", "data.size=16")


def model_and_data(*overrides):
    torch.manual_seed(0)
    cfg = config(*overrides)
    return build(cfg.model), build(cfg.data)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (BERNOULLI, None),
        ((*BERNOULLI, "data.binarize=dynamic"), "drawn"),
        ((*BERNOULLI, "data.binarize=fixed", "model=iwae"), "drawn"),
        (("data.binarize=dynamic",), "mean"),
        (("data.binarize=fixed", "model=gan"), "mean"),
        (("model=gan",), None),
    ],
)
@torch.no_grad()
def test_draws_are_taken_of_a_bernoulli_likelihood_beside_black_and_white_data(overrides, expected):
    model, data = model_and_data(*overrides)
    assert kind(model, data) == expected
    images = sampler(model, data, 6, torch.Generator().manual_seed(3))(slice(6))
    plain = model.sample(6, torch.Generator().manual_seed(3))
    if expected == "drawn":
        assert set(images.unique().tolist()) == {-1.0, 1.0}
        assert not torch.equal(images, plain)
    else:
        assert torch.equal(images, plain)


@torch.no_grad()
def test_a_sample_is_the_same_in_any_batch():
    model, data = model_and_data(*BERNOULLI, "data.binarize=dynamic")
    samples = sampler(model, data, 7, torch.Generator().manual_seed(3))
    assert torch.equal(torch.cat([samples(slice(0, 3)), samples(slice(3, 7))]), samples(slice(None)))


def test_a_pixel_is_white_as_often_as_its_mean_says():
    means = torch.full((400, 1, 16, 16), -0.6)  # a probability of 0.2
    white = drawn(means, 0, "samples 0") == 1
    assert white.float().mean().item() == pytest.approx(0.2, abs=0.005)
    assert torch.equal(drawn(means[:3], 5, "samples 0"), drawn(means, 0, "samples 0")[5:8])


def test_a_model_without_a_likelihood_is_taken_as_it_is():
    assert kind(SimpleNamespace(), SimpleNamespace(binarize="fixed")) == "mean"
