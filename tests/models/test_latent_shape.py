"""Codes that are maps: every model, what may be typed, and the numbers that are sums over all of their entries."""

import pytest
import torch
from settings import config, options
from torch.distributions import Normal, kl_divergence

from genlab.config.build import build
from genlab.errors import UsageError
from genlab.losses import kl_per_entry, kl_to_standard_normal, mmd
from genlab.models import AE
from genlab.models.codes import code_shape
from genlab.moments import Moments
from genlab.networks import MLP
from genlab.protocols import HasDensity, Reconstructs

MAPS = "model.latent_shape=[2,3,4]"
ROLES = ("encoder", "decoder", "generator", "discriminator", "code_discriminator")


def small(name: str, *overrides: str):
    """A model of small MLPs on images of 8 x 8 pixels."""
    roles = [role for role in ROLES if role in config(f"model={name}").model]
    networks = [text for role in roles for text in (f"model/{role}=mlp", f"model.{role}.width=8")]
    torch.manual_seed(0)
    return build(config(f"model={name}", "data.size=8", *networks, *overrides).model)


@pytest.mark.parametrize("name", options("model"))
def test_every_model_has_codes_of_maps(name, generator):
    model = small(name, MAPS).eval()
    assert (model.latent_shape, model.latent_dim) == ((2, 3, 4), 24)
    z = model.prior(5, generator)
    assert z.shape == (5, 2, 3, 4)
    assert all(moment.shape == (2, 3, 4) for moment in model.prior_moments())
    x = model.decode(z)
    assert x.shape == (5, 1, 8, 8)
    if isinstance(model, Reconstructs):
        assert model.encode(x).shape == (5, 2, 3, 4)
        assert model.reconstruct(x).shape == x.shape
    assert all(term.shape == () and term.isfinite() for term in model.losses(x.detach(), generator).values())


# A quantiser rounds the vector at each place, and a code without places is one vector.
@pytest.mark.parametrize("name", [n for n in options("model") if "quantizer" not in config(f"model={n}").model])
def test_a_vector_of_as_many_entries_is_the_same_model(name, generator):
    """With fully connected networks, which know of no places: weights, codes and losses are equal."""
    maps, vector = small(name, MAPS).eval(), small(name, "model.latent_dim=24").eval()
    x = torch.rand(6, 1, 8, 8, generator=generator)
    for one, other in zip(maps.parameters(), vector.parameters(), strict=True):
        assert torch.equal(one, other)
    losses = [model.losses(x, torch.Generator().manual_seed(1)) for model in (maps, vector)]
    for key, value in losses[0].items():
        torch.testing.assert_close(value, losses[1][key], msg=key)
    if isinstance(maps, HasDensity):
        bounds = [m.importance(x, *m.posterior(x), 3, torch.Generator().manual_seed(1)) for m in (maps, vector)]
        torch.testing.assert_close(*bounds)


def test_the_divergence_of_maps_is_the_sum_over_all_entries(generator):
    mean, logvar = torch.randn(2, 4, 2, 3, 5, generator=generator)
    expected = kl_divergence(Normal(mean, (0.5 * logvar).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(kl_per_entry(mean, logvar), expected)
    torch.testing.assert_close(kl_to_standard_normal(mean, logvar), expected.sum((1, 2, 3)))
    torch.testing.assert_close(mmd(mean, logvar), mmd(mean.flatten(1), logvar.flatten(1)))


SHAPES = [  # what is typed for images of 32 pixels in colour, and the shape of a code
    ({"latent_dim": 7}, (7,)),
    ({"latent_shape": [7]}, (7,)),
    ({"latent_shape": [4, 8, 16]}, (4, 8, 16)),
    ({"latent_shape": [3, 32, 32]}, (3, 32, 32)),
    ({"downsample": 4}, (4, 8, 8)),
    ({"downsample": 8, "latent_channels": 16}, (16, 4, 4)),
]


@pytest.mark.parametrize(("typed", "shape"), SHAPES, ids=lambda value: str(value))
def test_a_code_has_the_shape_that_is_typed(typed, shape):
    assert code_shape((3, 32, 32), **typed) == shape


WRONG = [  # for the same images, and parts of what is said
    ({}, ["has no shape", "model.latent_dim=10"]),
    ({"latent_dim": 8, "latent_shape": [4, 8, 8]}, ["model.latent_dim=8 and model.latent_shape=[4,8,8] are given"]),
    ({"latent_shape": [4, 8, 8], "downsample": 4}, ["model.latent_shape=[4,8,8] and model.downsample=4 are given"]),
    ({"latent_shape": [4, 8]}, ["model.latent_shape=[4,8]", "as [4,8,8]"]),
    ({"latent_shape": [1, 33, 8]}, ["larger than the image", "[3,32,32]"]),
    ({"latent_shape": [4, 32, 32]}, ["larger than the image", "[3,32,32]"]),
    ({"downsample": 5}, ["32x32", "model.downsample=8", "data.size=30", "data.size=35"]),
]


@pytest.mark.parametrize(("typed", "parts"), WRONG, ids=lambda value: str(value)[:60])
def test_an_impossible_shape_is_refused_in_one_sentence(typed, parts):
    with pytest.raises(UsageError) as error:
        code_shape((3, 32, 32), **typed)
    for part in parts:
        assert part in str(error.value)


@pytest.mark.parametrize("name", options("model"))
def test_the_default_length_of_a_code_gives_way_to_a_shape_that_is_typed(name):
    shaped, divided = (config(f"model={name}", *typed).model for typed in ([MAPS], ["model.downsample=4"]))
    assert shaped.latent_dim is None
    assert divided.latent_dim is None
    assert config(f"model={name}", "model.latent_dim=5", "model.latent_shape=null").model.latent_dim == 5


def ae(latent_shape: tuple[int, ...]) -> AE:
    return AE(
        (1, 40, 40), latent_shape=latent_shape, latent_dim=None, encoder=MLP, decoder=MLP, optimizer=torch.optim.Adam
    )


def test_the_gaussian_of_an_autoencoder_with_many_entries_has_none_of_their_covariances(generator):
    """z_0 = a, z_1 = 1 + 2 a for one draw a: together on a line, or apart with these deviations."""
    few, many = ae((1, 2, 2)), ae((2, 24, 24))
    assert (few.code_cov.shape, many.code_cov.shape) == ((4, 4), (1152,))
    for model in (few, many):
        codes = torch.zeros(1000, model.latent_dim)
        codes[:, 0] = torch.randn(1000, generator=generator)
        codes[:, 1] = 1 + 2 * codes[:, 0]
        model._epoch_codes.update(codes)
        model.fit_prior()
        mean, std = (moment.flatten() for moment in model.prior_moments())
        torch.testing.assert_close(mean[:3], torch.tensor([0.0, 1.0, 0.0]), atol=0.1, rtol=0)
        torch.testing.assert_close(std[:3], torch.tensor([1.0, 2.0, 0.0]), atol=0.1, rtol=0)
        drawn = model.prior(1000, generator).flatten(1)
        correlation = torch.corrcoef(drawn[:, :2].T)[0, 1].item()
        assert correlation == pytest.approx(0 if model.is_diagonal else 1, abs=0.1)


def test_variances_in_parts_are_those_of_the_whole(generator):
    x = torch.randn(50, 3, generator=generator, dtype=torch.float64)
    first, second = (Moments(3, torch.float64, is_diagonal=True) for _ in range(2))
    first.update(x[:20])
    second.update(x[20:])
    first.merge(second.n, second.mean, second.scatter)
    torch.testing.assert_close(first.cov, x.var(0))
