"""Densities of codes: what they are fitted to, and what they draw."""

from types import SimpleNamespace

import pytest
import torch
from settings import config
from torch import nn

from genlab.config.build import build
from genlab.errors import UsageError
from genlab.priors import Autoregressive, Flow, Gaussian, Mixture

TRAINED = {"epochs": 3, "batch_size": 16}
SMALL = {Flow: {"width": 8, "transforms": 1}, Autoregressive: {"width": 32, "depth": 1, "n_components": 2}}


def of(*latent_shape: int) -> SimpleNamespace:
    """A model with codes of a shape."""
    return SimpleNamespace(latent_shape=latent_shape, latent_dim=torch.Size(latent_shape).numel())


class Codebook(nn.Module):
    """A model whose codes (2, 1, 1) are two entries, of the values 0, 10 and 20."""

    latent_shape, latent_dim, codebook_size, n_indices = (2, 1, 1), 2, 3, 2

    def to_indices(self, z):
        return (z / 10).round().long().flatten(1)

    def from_indices(self, indices):
        return 10.0 * indices.view(-1, 2, 1, 1)


def fitted(density, codes, seed=0):
    density.train()
    assert list(density.fit(codes, seed))[-1] == 1
    return density.eval()


@torch.no_grad()
def draws(density, n=2000, seed=0):
    return density.from_noise(torch.randn(n, *density.noise_shape, generator=torch.Generator().manual_seed(seed)))


def test_a_gaussian_has_the_mean_and_the_covariance_of_the_codes():
    """Codes +-(2, 2) about (1, 3), and twice the middle: the covariance is 2 * 4 / 3 in all entries, of rank 1.

    Its root is (8 / 3)^(1/2) / sqrt(2) in all entries, so noise (1, 1) gives 2 (4 / 3)^(1/2) beside the mean.
    """
    codes = torch.tensor([[3.0, 5.0], [-1.0, 1.0], [1.0, 3.0], [1.0, 3.0]])
    density = fitted(Gaussian(of(2)), codes)
    mean, std = density.prior_moments()
    assert mean.tolist() == pytest.approx([1, 3])
    assert std.tolist() == pytest.approx([(8 / 3) ** 0.5] * 2, rel=1e-5)
    made = density.from_noise(torch.ones(1, 2))[0] - mean
    assert made.tolist() == pytest.approx([2 * (4 / 3) ** 0.5] * 2, rel=1e-5)


def test_a_mixture_finds_clusters_with_their_shares(generator):
    """A quarter at -5, the rest at 5: a mean of 2.5, a variance of 1/4 * 7.5^2 + 3/4 * 2.5^2 = 18.75 and their own."""
    codes = 0.1 * torch.randn(400, 1, generator=generator) + torch.tensor([-5.0] * 100 + [5.0] * 300)[:, None]
    density = fitted(Mixture(of(1), 2), codes)
    assert sorted(density.weights.tolist()) == pytest.approx([0.25, 0.75], abs=1e-4)
    mean, std = density.prior_moments()
    assert mean.item() == pytest.approx(2.5, abs=0.05)
    assert std.item() == pytest.approx(18.76**0.5, rel=0.01)
    drawn = draws(density)
    assert (drawn < 0).float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert drawn[drawn > 0].std().item() == pytest.approx(0.1, rel=0.15)


def test_the_last_entry_of_the_noise_chooses_the_component_by_its_quantile():
    """Weights 0.5 and 0.5: below a normal quantile of 0 it is the first, above it the second."""
    density = Mixture(of(2), 2)
    density.means.copy_(torch.tensor([[1.0, 1.0], [2.0, 2.0]]))
    noise = torch.tensor([[0.5, -0.5, -0.1], [0.5, -0.5, 0.1]])
    assert density.from_noise(noise).tolist() == [[1.5, 0.5], [2.5, 1.5]]


def test_components_do_not_share_their_covariance(generator):
    wide, narrow = torch.randn(300, 2, generator=generator), 20 + 0.01 * torch.randn(300, 2, generator=generator)
    drawn = draws(fitted(Mixture(of(2), 2), torch.cat([wide, narrow])))
    near = drawn[drawn[:, 0] > 10]
    assert near.std(0).max() < 0.02
    assert drawn[drawn[:, 0] < 10].std(0).min() > 0.8


@pytest.mark.parametrize("density", [Gaussian, Mixture, Flow, Autoregressive])
@pytest.mark.parametrize("shape", [(3,), (2, 2, 3)])
def test_draws_have_the_shape_of_a_code_and_the_same_noise_gives_the_same_code(density, shape, generator):
    options = {Mixture: {"n_components": 2}}.get(density, TRAINED | SMALL.get(density, {}))
    made = density(of(*shape), **({} if density is Gaussian else options))
    fitted(made, 3 + 2 * torch.randn(60, *shape, generator=generator))
    assert draws(made, 5).shape == (5, *shape)
    assert torch.equal(draws(made, 5), draws(made, 5))
    assert not torch.equal(draws(made, 5), draws(made, 5, seed=1))
    torch.testing.assert_close(draws(made, 5)[:2], draws(made, 5)[:2])
    assert all(moment.shape == shape for moment in made.prior_moments())


@pytest.mark.parametrize("density", [Flow, Autoregressive])
def test_an_interrupted_fit_that_goes_on_is_the_same_to_the_last_digit(density, generator):
    codes = torch.randn(40, 3, generator=generator)
    whole, first, second = (_made(density) for _ in range(3))
    fitted(whole, codes)
    first.train()
    next(iter(first.fit(codes, 0)))
    second.load_state_dict(first.state_dict())
    second.load_training_state(first.training_state())
    done = list(second.train().fit(codes, 0))
    assert done == [pytest.approx(2 / 3), 1.0]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


def _made(density):
    torch.manual_seed(0)
    dropout = {"dropout": 0.0} if density is Autoregressive else {}  # draws from PyTorch's global randomness
    return density(of(3), **TRAINED, **SMALL[density], **dropout)


@pytest.mark.slow
@pytest.mark.parametrize(("density", "lr"), [(Flow, 1e-2), (Autoregressive, 3e-3)])
def test_training_learns_two_clusters_that_a_gaussian_can_not(density, lr, generator):
    """Codes near (-2, -2) or (2, 2). Of the draws of one Gaussian less than a third lie there."""
    sign = torch.randint(2, (400, 1), generator=generator) * 2.0 - 1
    codes = 2 * sign + 0.2 * torch.randn(400, 2, generator=generator)
    torch.manual_seed(0)
    made = fitted(density(of(2), epochs=20, batch_size=32, lr=lr, **SMALL[density]), codes)
    assert _share_near(draws(fitted(Gaussian(of(2)), codes))) < 1 / 3
    assert _share_near(draws(made)) > 0.65
    assert 0.35 < (draws(made)[:, 0] > 0).float().mean() < 0.65


def _share_near(drawn):
    return ((drawn.abs() - 2).abs() < 0.8).all(1).float().mean()


def test_codes_of_a_codebook_are_learnt_as_numbers(generator):
    """The second number is the first one and one more, and the first is 0 or 1 in shares of 1/4 and 3/4."""
    first = (torch.rand(400, generator=generator) < 0.75).float()
    codes = 10 * torch.stack([first, first + 1], 1).view(-1, 2, 1, 1)
    torch.manual_seed(0)
    made = fitted(Autoregressive(Codebook(), epochs=10, lr=1e-2, batch_size=32, width=32, depth=1), codes)
    drawn = draws(made, 1000).flatten(1)
    assert set(drawn.unique().tolist()) <= {0.0, 10.0, 20.0}
    assert (drawn[:, 1] - drawn[:, 0] == 10).float().mean() > 0.97
    assert (drawn[:, 0] == 10).float().mean().item() == pytest.approx(0.75, abs=0.06)


def test_draws_for_a_vqvae_are_entries_of_its_codebook(generator):
    few = ("model/encoder=conv", "model/decoder=conv", "model.quantizer.codebook_size=8", "data.size=16")
    vqvae = build(config("model=vqvae", *few).model).eval()
    with torch.no_grad():
        codes = vqvae.encode(torch.rand(20, 1, 16, 16, generator=generator) * 2 - 1)
    vqvae.draw_codes_from(fitted(Autoregressive(vqvae, epochs=1, width=32, depth=1), codes))
    drawn = vqvae.prior(6, generator)
    assert drawn.shape == codes[:6].shape
    torch.testing.assert_close(vqvae.from_indices(vqvae.to_indices(drawn)), drawn)


def test_what_is_drawn_one_by_one_has_the_probability_that_is_trained():
    """-log p(0, 1) of numbers, from the shares of 20,000 draws of a network that has learnt nothing."""
    torch.manual_seed(0)
    made = Autoregressive(Codebook(), width=32, depth=2).eval()
    nn.init.normal_(made.enter.weight, std=3.0)
    codes = torch.tensor([0.0, 10.0]).view(1, 2, 1, 1)
    share = (draws(made, 20_000) == codes).flatten(1).all(1).float().mean()
    assert share.log().item() == pytest.approx(-made.nll(codes).item(), abs=0.06)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Gaussian(of(9000)), "prior=gaussian keeps the covariance of a code, which has 9,000 entries here"),
        (lambda: Mixture(of(1, 100, 100), 2), "prior=mixture keeps the covariance of a code"),
        (
            lambda: Autoregressive(of(4, 40, 40)),
            "one by one, 1,600 here, and 1,024 at most are possible: type",
        ),
        (lambda: Autoregressive(of(3), width=40), "prior.width=40 is not possible: it must be a multiple of 32."),
        (lambda: Mixture(of(2), 30).check(20), "prior.n_components=30 is more than the 20 training images: type at mo"),
        (lambda: Gaussian(of(2)).check(1), "prior=gaussian needs two training images or more, and there are 1."),
    ],
)
def test_what_can_not_be_fitted_is_said_in_one_sentence(make, said):
    with pytest.raises(UsageError) as error:
        make()
    assert said in str(error.value)


def test_a_flow_says_which_package_it_needs(monkeypatch):
    monkeypatch.setattr("genlab.priors.flow.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r'prior=flow needs the package zuko, .*: type pip install -e "\.\[flow\]"\.'):
        Flow(of(2))
