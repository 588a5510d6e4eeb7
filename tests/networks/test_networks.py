"""Every network in the config tree is a map between shapes."""

from functools import cache

import pytest
import torch
from settings import config, options
from torch import nn

from genlab.config.build import build
from genlab.errors import UsageError

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 33, 17), (3, 9, 64), (1, 255, 31)]
DOWN = [("encoder", (6,)), ("discriminator", (1,))]
UP = ["decoder", "generator"]
READING = [(role, name) for role, _ in DOWN for name in options(f"model/{role}")]
MAKING = [(role, name) for role in UP for name in options(f"model/{role}")]
MODEL_WITH = {"encoder": "vae", "decoder": "vae", "generator": "gan", "discriminator": "gan"}


@cache
def network(role: str, name: str, *overrides: str):
    """A class with its options, as the config tree has it, still without shapes."""
    changes = [f"model.{role}.{override}" for override in ("width=8", *overrides)]
    return build(config(f"model={MODEL_WITH[role]}", f"model/{role}={name}", *changes).model[role])


def weighted(network: nn.Module) -> list[nn.Module]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]


def largest_singular_value(layer) -> float:
    return torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2).item()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("role", "out_shape", "name"), [(r, o, n) for r, o in DOWN for n in options(f"model/{r}")])
def test_every_network_that_reads_images_maps_any_image_shape(role, out_shape, name, shape):
    y = network(role, name)(shape, out_shape)(torch.zeros(2, *shape))
    assert (y.mean((2, 3)) if y.ndim == 4 else y).shape == (2, *out_shape)  # a patch has a logit of its own


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("role", "name"), MAKING)
def test_every_network_that_makes_images_reaches_any_image_shape_within_its_range(role, name, shape):
    x = network(role, name)((5,), shape)(10 * torch.ones(2, 5))
    assert x.shape == (2, *shape)
    assert x.abs().max() <= 1


@pytest.mark.parametrize("shape", [(1, 7, 28), (1, 28, 513), (2, 28, 28)], ids=str)
@pytest.mark.parametrize(("role", "name"), [(r, n) for r, n in [*READING, *MAKING] if n != "mlp"])
def test_a_convolutional_network_refuses_other_shapes_and_names_them(role, name, shape):
    shapes = ((4,), shape) if role in UP else (shape, (1,))
    with pytest.raises(UsageError, match=rf"\({shape[0]}, {shape[1]}, {shape[2]}\)"):
        network(role, name)(*shapes)


@pytest.mark.parametrize(("role", "name"), READING)
def test_a_network_that_reads_images_is_its_head_on_its_features(role, name):
    net = network(role, name)((3, 17, 12), (2, 3))
    x = torch.randn(2, 3, 17, 12)
    features = net.features(x)
    assert torch.equal(net(x), net.head(features))
    assert not torch.equal(net(x), net.head(features + 1))


@pytest.mark.parametrize(("role", "name"), READING)
def test_features_are_the_coarsest_map_or_the_last_hidden_layer(role, name):
    features = network(role, name)((3, 17, 12), (2,)).features(torch.randn(2, 3, 17, 12))
    assert features.shape[2:] == {"mlp": (), "resnet": (4, 3), "patch": (7, 5)}.get(
        name, (8, 6)
    )  # SNGAN's halve to two pixels


@pytest.mark.parametrize(("role", "name"), READING)
def test_spectral_norm_bounds_the_largest_singular_value_of_every_weight(role, name):
    torch.manual_seed(0)
    net = network(role, name, "spectral_norm=true")((1, 16, 16), (2,))
    x = torch.randn(2, 1, 16, 16)
    for _ in range(50):
        net(x)
    values = [largest_singular_value(layer) for layer in weighted(net)]
    assert values == pytest.approx([1] * len(values), abs=0.02)


@pytest.mark.parametrize(("role", "name"), READING)
def test_without_spectral_norm_singular_values_are_free(role, name):
    torch.manual_seed(0)
    net = network(role, name)((1, 16, 16), (2,))
    assert max(abs(largest_singular_value(layer) - 1) for layer in weighted(net)) > 0.1


@pytest.mark.parametrize("normed", ["spectral_norm=false", "spectral_norm=true"])
@pytest.mark.parametrize("name", options("model/discriminator"))
def test_every_discriminator_can_be_differentiated_twice_as_gradient_penalties_need(name, normed):
    torch.manual_seed(0)
    net = network("discriminator", name, normed)((1, 9, 12), (1,))
    x = torch.randn(2, 1, 9, 12, requires_grad=True)
    (slope,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
    slope.square().sum().backward()
    gradients = [p.grad for p in net.parameters() if p.grad is not None]
    assert any(gradient.abs().max() > 0 for gradient in gradients)
    assert all(gradient.isfinite().all() for gradient in gradients)
