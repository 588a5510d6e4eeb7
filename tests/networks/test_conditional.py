"""Networks that are told labels."""

import pytest
import torch
from settings import config, options
from torch import nn

from genlab.conditions import Attributes, Classes
from genlab.config.build import build
from genlab.losses.penalties import R1
from genlab.networks import MLP, ConvDown
from genlab.networks.conditional import Beside, LabelledCritic, Modulated, OnImage, Projection, conditional, critic

CLASSES = Classes(["a", "b", "c"])
SHAPE, CODE = (1, 16, 16), (4,)
ROLES = {  # shapes of input and output
    "encoder": (SHAPE, (8,)),
    "decoder": (CODE, SHAPE),
    "generator": (CODE, SHAPE),
    "discriminator": (SHAPE, (1,)),
    "code_discriminator": (CODE, (1,)),
}
NETWORKS = [(role, name) for role in ROLES for name in options(f"model/{role}")]


def made(make, in_shape, out_shape, condition=CLASSES):
    return conditional(make, in_shape, out_shape, condition, condition.width, is_image=in_shape == SHAPE)


@pytest.mark.parametrize(("role", "name"), NETWORKS)
def test_every_network_is_told_labels_in_every_role(role, name):
    model = {"generator": "gan", "discriminator": "gan", "code_discriminator": "aae"}.get(role, "ae")
    make = build(config(f"model={model}", f"model/{role}={name}").model[role])
    in_shape, out_shape = ROLES[role]
    torch.manual_seed(0)
    network, x = made(make, in_shape, out_shape).eval(), torch.randn(2, *in_shape)
    first, other = (network(x, y=torch.tensor([label, label])) for label in (0, 1))
    assert first.shape[: 1 + len(out_shape)] == (2, *out_shape)
    assert not torch.equal(first, other)
    assert torch.equal(network(x), network(x, y=torch.tensor([-1, -1])))


def test_a_projection_adds_the_product_of_summed_features_and_the_labels_row():
    d = Projection(ConvDown(SHAPE, (1,), width=2), SHAPE, CLASSES)
    x, y = torch.randn(3, *SHAPE), torch.tensor([2, 0, -1])
    features = d.network.features(x)
    rows = [*d.projection.weight.T[[2, 0]], torch.zeros(features.shape[1])]
    sums = [(f.sum((1, 2)) * v).sum() for f, v in zip(features, rows, strict=True)]
    torch.testing.assert_close(d(x, y=y), d.network.head(features) + torch.stack(sums)[:, None])


def test_the_projection_has_spectral_normalisation_if_the_network_has_it():
    plain, normalised = (
        Projection(MLP(SHAPE, (1,), width=4, spectral_norm=on), SHAPE, CLASSES).projection for on in (False, True)
    )
    assert not nn.utils.parametrize.is_parametrized(plain)
    assert torch.linalg.matrix_norm(normalised.weight, 2).item() == pytest.approx(1, abs=0.1)


def test_beside_a_code_stands_the_label_with_a_mean_square_of_one():
    network = Beside(nn.Identity(), CLASSES)
    z, y = torch.tensor([[7.0], [8.0]]), torch.tensor([1, -1])
    torch.testing.assert_close(network(z, y=y), torch.tensor([[7, 0, 3**0.5, 0], [8, 0, 0, 0]]))
    attributes = Beside(nn.Identity(), Attributes(["a", "b"]))(torch.zeros(1, 1), y=torch.tensor([[1, 0]]))
    torch.testing.assert_close(attributes, torch.tensor([[0.0, 1, -1]]))


def test_beside_a_code_of_maps_it_is_constant_planes():
    told = Beside(nn.Identity(), CLASSES)(torch.zeros(1, 4, 3, 2), y=torch.tensor([1]))
    assert told.shape == (1, 7, 3, 2)
    torch.testing.assert_close(told[0, 4:], torch.tensor([0, 3**0.5, 0])[:, None, None].expand(-1, 3, 2))


def test_a_generator_needs_no_gradient_in_its_input_but_for_an_embedding():
    z, y = torch.randn(1, *CODE), torch.tensor([2])
    assert not made(MLP, CODE, SHAPE).tell(z, CLASSES.vectors(y)).requires_grad
    assert made(MLP, CODE, SHAPE, Classes(["a", "b", "c"], width=2)).tell(z, CLASSES.vectors(y)).requires_grad


def test_an_embedding_is_as_wide_as_asked_for_or_64_numbers_of_a_longer_label():
    network = Beside(nn.Identity(), CLASSES, 2)
    told = network(torch.tensor([[7.0], [8.0]]), y=torch.tensor([1, -1]))
    assert told.tolist() == [[7, *network.embedding.weight[:, 1].tolist()], [8, 0, 0]]
    assert made(MLP, CODE, SHAPE, Classes([str(k) for k in range(64)])).embedding is None
    assert made(MLP, CODE, SHAPE, Classes([str(k) for k in range(65)])).embedding.weight.shape == (64, 65)


def test_on_an_image_a_label_is_a_map_of_its_own_and_no_label_leaves_it_as_it_is():
    network, x = OnImage(nn.Identity(), (1, 8, 8), CLASSES), torch.randn(2, 1, 8, 8)
    told = network(x, y=torch.tensor([2, -1]))
    torch.testing.assert_close((told - x)[0].flatten(), network.embedding.weight[:, 2])
    assert torch.equal(told[1], x[1])


def test_a_label_scales_and_shifts_each_channel_of_the_features():
    network, x = Modulated(ConvDown(SHAPE, (3,), width=2), SHAPE, CLASSES), torch.randn(2, *SHAPE)
    features = network.network.features(x)
    scale, shift = network.modulation.weight[:, 1].chunk(2)
    expected = torch.cat([features[:1] * (1 + scale[:, None, None]) + shift[:, None, None], features[1:]])
    torch.testing.assert_close(network(x, y=torch.tensor([1, -1])), network.network.head(expected))


def test_attributes_add_up():
    network = Beside(nn.Identity(), Attributes(["a", "b"]), 3)
    z = torch.zeros(3, 1)
    both, first, second = network(z, y=torch.tensor([[1, 1], [1, -1], [-1, 1]]))
    torch.testing.assert_close(both, first + second)


def test_what_a_wrapped_network_offers_is_offered():
    pooling = build(config("model=ae", "model/encoder=pooling").model.encoder)
    network, x = made(pooling, SHAPE, (3,)), torch.randn(2, *SHAPE)
    codes, indices = network.with_indices(x, y=torch.tensor([0, 1]))
    assert torch.equal(codes, network(x, y=torch.tensor([0, 1])))
    assert len(indices) == 2
    assert not hasattr(made(MLP, SHAPE, (3,)), "with_indices")


def test_the_labels_are_no_part_of_a_network():
    names = made(MLP, CODE, SHAPE).state_dict().keys()
    assert not any("shares" in name for name in names)


def test_a_critic_of_a_labelled_batch_repeats_its_labels_for_twice_as_many_fakes():
    d, y = Projection(MLP(CODE, (1,), width=8), CODE, CLASSES), torch.tensor([0, 2])
    x = torch.randn(4, *CODE)
    assert torch.equal(critic(d, y)(x), d(x, y=torch.tensor([0, 2, 0, 2])))
    assert critic(d, None) is d


def test_a_penalty_takes_the_gradient_in_the_image_alone():
    d = Projection(MLP(CODE, (1,), width=8, depth=0), CODE, CLASSES)  # linear: head(x) + <V y, x>
    x, y = torch.randn(2, *CODE), torch.tensor([1, -1])
    w = d.network.layers[-3].weight[0]
    slopes = [(w + d.projection.weight[:, 1]).square().sum(), w.square().sum()]
    torch.testing.assert_close(R1(2.0)(LabelledCritic(d, y), x, x), torch.stack(slopes).mean())
