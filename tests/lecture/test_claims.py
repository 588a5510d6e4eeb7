"""Each claim that needs no training is shown, and ten planted faults turn the verdict of their claims."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import Generator, nn
from torch.nn import functional as F

from genlab.data import Digits
from genlab.images import to_float
from genlab.lecture import (
    ELBO,
    Game,
    Gradients,
    NotTheInverse,
    Pooling,
    Toeplitz,
    adversary,
    codes,
    elbo,
    gradients,
    parsimony,
    sigma,
)
from genlab.lecture import inverse as inverse_claim
from genlab.lecture.claim import Evidence, Statement
from genlab.lecture.linear import linear_vae
from genlab.losses import Gaussian, Minimax, likelihood
from genlab.models import VAE
from genlab.networks import MLP, MaxPooling
from genlab.significance import Interval, interval


def run(model, images):
    """What a claim is given of a training."""
    return SimpleNamespace(model=model, datamodule=SimpleNamespace(images=lambda split: images))


def blurred(x):
    return F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)


def digit_runs(*typed):
    """An autoencoder that has the indices and gives nearly the image, and one that blurs."""
    images = Digits()()["test"].images[:50]
    reconstruct = blurred if "Average" in typed[1] else lambda x: 0.99 * x
    return run(SimpleNamespace(reconstruct=reconstruct), images)


def linear_run(*typed):
    """The linear model with an encoder halfway between posterior and prior."""
    model = linear_vae()
    model.encode_at(0.5)
    return run(model, torch.randint(256, (200, 1, 2, 3), generator=Generator().manual_seed(0)).byte())


@pytest.fixture
def verdict():
    """The verdict of a claim whose trainings are stood in for."""
    runs = {Pooling: digit_runs, ELBO: linear_run}
    quick = {Game: {"n_steps": 300}, Gradients: {"n_draws": 100_000}}
    return lambda claim: claim(**quick.get(claim, {})).measure(runs.get(claim)).verdict


class Dilated(nn.Conv2d):
    """A filter with holes, in place of a stride, to a result of the same size."""

    def __init__(self, c_in, c_out, size, stride, padding, bias):
        super().__init__(c_in, c_out, size, dilation=stride, padding=padding, bias=bias)


class OfAnotherFilter(nn.ConvTranspose2d):
    """Turned upside down: a convolution where there should be a correlation."""

    def forward(self, x):
        return F.conv_transpose2d(x, self.weight.flip(2, 3), self.bias, self.stride, self.padding)


def shifted_indices(self, x):
    values, indices = F.max_pool2d(x, 2, return_indices=True)
    return values, (indices + 1) % (x.shape[2] * x.shape[3])


def biased(mean, logvar, generator=None):
    """Half of the gradient in the variance gets lost."""
    half = (0.25 * logvar).exp()
    return mean + half * half.detach() * torch.randn(mean.shape, generator=generator)


FAULTS = {  # the claim, what is replaced, and by what
    "dilation for stride": (Toeplitz, nn, "Conv2d", Dilated),
    "the adjoint of another filter": (Toeplitz, nn, "ConvTranspose2d", OfAnotherFilter),
    "a wrong kept index": (Pooling, MaxPooling, "forward", shifted_indices),
    "the sign of the KL": (ELBO, "genlab.models.vae.kl_per_entry", lambda mean, logvar: -elbo_kl(mean, logvar)),
    "a bound with K confused": (ELBO, elbo, "importance_weighted_bound", lambda log_weights: log_weights.logsumexp(0)),
    "a biased gradient": (Gradients, gradients, "reparametrise", biased),
    "a fake that is not detached": (Game, "genlab.models.adversarial._detach", lambda made: made),
    "labels swapped": (
        Game,
        Minimax,
        "discriminator",
        lambda self, real, fake: F.softplus(real).mean() + F.softplus(-fake).mean(),
    ),
}


def elbo_kl(mean, logvar):
    return 0.5 * (mean.square() + logvar.exp() - 1 - logvar)


@pytest.mark.parametrize("claim", [Toeplitz, NotTheInverse, Pooling, ELBO, Gradients, Game])
def test_a_claim_is_shown(claim, verdict):
    assert verdict(claim) == "shown"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_turns_the_verdict(fault, verdict, monkeypatch):
    claim, *planted = FAULTS[fault]
    monkeypatch.setattr(*planted)
    assert verdict(claim) == "not shown"


def trade_off():
    """VAEs of five sigmas after a few steps on small digits, and the verdict on them."""
    x = to_float(Digits()(size=8)["train"].images[:256])
    models = {}
    for value in sigma.SIGMAS:
        torch.manual_seed(0)
        networks = partial(MLP, width=64, depth=1), partial(MLP, width=64, depth=1, output=nn.Tanh)
        model = VAE((1, 8, 8), 8, *networks, Gaussian(value), optimizer=partial(torch.optim.Adam))
        optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
        for step in range(150):
            optimizer.zero_grad()
            model.losses(x, Generator().manual_seed(step))["loss"].backward()
            optimizer.step()
        models[value] = model
    return Evidence(None, "", None, sigma.judge(sigma.fit_and_kl(models, x))).verdict


@pytest.mark.slow
def test_sigma_trades_fit_against_regularisation_and_not_where_it_stands_in_the_wrong_place(monkeypatch):
    assert trade_off() == "shown"
    multiplied = lambda x, mean, log_sigma: likelihood_at(x, mean, -log_sigma)  # noqa: E731
    likelihood_at = likelihood.gaussian_nll
    monkeypatch.setattr(likelihood, "gaussian_nll", multiplied)
    assert trade_off() == "not shown"


def holds(statements):
    return Evidence(None, "", None, statements).verdict == "shown"


DISTANCES = {"AE": [900.0, 950.0, 930.0], "VAE": [400.0, 410.0, 395.0]}
DISTANCES |= {"AE-GAN": [450.0, 480.0, 440.0], "AAE": [600.0, 610.0, 590.0], "VAE-GAN": [300.0, 310.0, 305.0]}
SHARP = {"AE": [0.6, 0.61, 0.62], "VAE": [0.3, 0.31, 0.29], "AE-GAN": [0.9, 0.92, 0.88], "VAE-GAN": [0.8, 0.82, 0.81]}
SHARP |= {"GAN": [1.0, 1.05, 0.98], adversary.OFF: [0.5, 0.52, 0.51]}


def switched_off(scores, name, plain, noise):
    """What seeds would give if a model were trained as another one is."""
    return {**scores, name: [value + noise * shift for value, shift in zip(scores[plain], (-2, 1, 0.5), strict=True)]}


@pytest.mark.parametrize("name", ["AE-GAN", "AAE", "VAE-GAN"])
def test_an_adversary_that_is_switched_off_turns_the_verdict_on_distances(name):
    assert holds(adversary.judge_distances(DISTANCES))
    assert not holds(adversary.judge_distances(switched_off(DISTANCES, name, adversary.PLAIN[name], 10)))


@pytest.mark.parametrize(("name", "plain"), [("AE-GAN", adversary.OFF), ("VAE-GAN", "VAE"), ("GAN", "VAE")])
def test_an_adversary_that_is_switched_off_turns_the_verdict_on_sharpness(name, plain):
    off = switched_off(SHARP, name, plain, 0.01)
    assert holds(adversary.judge_sharpness(SHARP, SHARP))
    assert not holds(adversary.judge_sharpness(off, off))


def test_parsimony_falls_flattens_and_lies_below_pca():
    dims, good, pca = (2, 4, 8, 16), [0.05, 0.03, 0.02, 0.018], [0.06, 0.05, 0.04, 0.03]
    assert holds(parsimony.judge(dims, good, pca))
    assert not holds(parsimony.judge(dims, pca, good))
    assert not holds(parsimony.judge(dims, [0.05, 0.03, 0.031, 0.018], pca))  # does not fall
    assert not holds(parsimony.judge(dims, [0.05, 0.049, 0.03, 0.001], pca))  # does not flatten


def test_codes_that_are_distributed_as_the_prior_turn_the_verdict():
    found = {codes.PRIOR: Interval(2000, 100), codes.GAUSSIAN: Interval(450, 20)}
    found |= {codes.MIXTURE: Interval(250, 20), codes.VAE: Interval(400, 20)}
    assert holds(codes.judge(found))
    assert not holds(codes.judge({**found, codes.PRIOR: Interval(460, 20)}))
    assert not holds(codes.judge({**found, codes.MIXTURE: Interval(440, 20)}))


def test_a_filter_whose_adjoint_is_its_inverse_turns_the_verdict(verdict, monkeypatch):
    monkeypatch.setattr(inverse_claim, "SMOOTH", torch.tensor([0.0, 1.0, 0.0, 0.0], dtype=torch.float64))
    assert verdict(NotTheInverse) == "not shown"


def test_a_verdict_needs_statements_and_numbers():
    assert not holds([])
    assert holds([Statement("", True)])
    assert not holds([Statement("", float("nan") > 0)])


def test_an_interval_is_students():
    assert interval([1.0, 2.0, 3.0]).half == pytest.approx(4.3027 / 3**0.5, rel=1e-4)
    assert interval([1.0, 2.0, 3.0]).mean == 2
