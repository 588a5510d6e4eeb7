"""Networks between images and codes of maps, and the first stage of latent diffusion."""

import pytest
import torch
from settings import config, options
from torch import nn

from genlab.config.build import build
from genlab.errors import UsageError
from genlab.networks import SpatialDown, SpatialUp
from genlab.networks.layers import stages_between
from genlab.networks.spatial_blocks import NormedBlock, SelfAttention, StridedConv, group_norm

WITHOUT_LINEAR = ["conv", "conv_fc", "resnet", "spatial"]
CODES = [  # an image and maps of one of its halvings, which round down; the image's own size, and one place
    ((3, 64, 64), (4, 8, 8)),
    ((1, 28, 28), (2, 7, 7)),
    ((3, 33, 17), (3, 8, 4)),
    ((1, 255, 31), (4, 15, 1)),
    ((3, 9, 64), (1, 9, 64)),
    ((1, 8, 8), (3, 1, 1)),
]


def network(role: str, name: str, *overrides: str):
    changes = [f"model.{role}.{override}" for override in ("width=8", *overrides)]
    return build(config("model=ae", f"model/{role}={name}", *changes).model[role])


@pytest.mark.parametrize(("image", "code"), CODES, ids=str)
@pytest.mark.parametrize("name", options("model/encoder"))
def test_every_encoder_makes_maps_of_every_halving_of_an_image(name, image, code):
    encoder = network("encoder", name)(image, code)
    assert encoder(torch.zeros(2, *image)).shape == (2, *code)
    assert any(isinstance(layer, nn.Linear) for layer in encoder.modules()) == (name not in WITHOUT_LINEAR)


@pytest.mark.parametrize(("image", "code"), CODES, ids=str)
@pytest.mark.parametrize("name", [name for name in options("model/decoder") if name != "conv_bn"])
def test_every_decoder_makes_an_image_of_maps(name, image, code):
    decoder = network("decoder", name)(code, image)
    x = decoder(10 * torch.ones(2, *code))
    assert x.shape == (2, *image)
    assert x.abs().max() <= 1
    assert any(isinstance(layer, nn.Linear) for layer in decoder.modules()) == (name not in WITHOUT_LINEAR)


@pytest.mark.parametrize("name", WITHOUT_LINEAR)
def test_maps_of_another_size_are_refused_with_those_that_fit(name):
    said = r"Maps of 8x8 do not fit images of 28x28 pixels.*type 14,14 or 7,7 or 3,3 or 1,1 as .*=\[4,14,14\]\."
    with pytest.raises(UsageError, match=said):
        network("encoder", name)((1, 28, 28), (4, 8, 8))
    with pytest.raises(UsageError, match=said):
        network("decoder", name)((4, 8, 8), (1, 28, 28))


@pytest.mark.parametrize("name", WITHOUT_LINEAR)
def test_a_place_of_the_code_is_a_place_of_the_image(name):
    """What changes in one corner of the code changes the image there most: a linear layer would spread it."""
    torch.manual_seed(0)
    decoder = network("decoder", name)((2, 8, 8), (1, 32, 32)).eval()
    z = torch.randn(1, 2, 8, 8).repeat(2, 1, 1, 1)
    z[1, :, 0, 0] += 3
    change = decoder(z).diff(dim=0).abs()[0, 0]
    assert change[:4, :4].mean() > 5 * change[16:, 16:].mean()


def test_between_sizes_there_are_halvings_up_to_that_of_the_maps():
    assert stages_between((3, 64, 64), (4, 16, 16)) == [(64, 64), (32, 32), (16, 16)]
    assert stages_between((3, 17, 12), (4, 4, 3)) == [(17, 12), (8, 6), (4, 3)]
    assert stages_between((3, 64, 64), (10,)) == [(64, 64), (32, 32), (16, 16), (8, 8), (4, 4)]


def widths(net: nn.Module) -> list[str]:
    """Blocks by their channels, halvings as `/`, enlargements by size, attention as `a`."""
    found = []
    for layer in net.modules():
        match layer:
            case NormedBlock():
                found.append(f"{layer.branch[2].in_channels}>{layer.branch[2].out_channels}")
            case StridedConv():
                found.append("/")
            case nn.Upsample():
                found.append(f"x{layer.size[0]}")
            case SelfAttention():
                found.append("a")
    return found


def test_the_first_stage_of_latent_diffusion_widens_to_the_coarsest_map_where_places_attend():
    down = SpatialDown((3, 32, 32), (8, 4, 4), width=8, max_width=32)
    assert widths(down) == ["8>8", "/", "8>16", "/", "16>32", "/", "32>32", "32>32", "a", "32>32"]
    up = SpatialUp((4, 4, 4), (3, 32, 32), width=8, max_width=32)
    assert widths(up) == ["32>32", "a", "32>32", "32>32", "x8", "32>32", "x16", "16>16", "x32", "8>8"]
    deeper = SpatialDown((3, 8, 8), (8, 4, 4), width=8, depth=2, attention=False)
    assert widths(deeper) == ["8>8", "8>8", "/", "8>16", "16>16", "16>16", "16>16"]


@pytest.mark.parametrize("make", [SpatialDown, SpatialUp])
def test_gradient_checkpointing_gives_the_same_output_and_gradients(make):
    shapes = ((3, 16, 16), (4, 4, 4))[:: 1 if make is SpatialDown else -1]
    found = []
    for checkpointed in (False, True):
        torch.manual_seed(0)
        net = make(*shapes, width=8, gradient_checkpointing=checkpointed)
        y = net(torch.randn(2, *shapes[0]))
        y.square().sum().backward()
        found.append([y, *(p.grad for p in net.parameters())])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_gradient_checkpointing_keeps_less_for_the_gradients():
    def kept(checkpointed: bool) -> int:
        sizes = []
        net = SpatialDown((3, 32, 32), (4, 8, 8), width=8, depth=2, gradient_checkpointing=checkpointed)
        own = {p.data_ptr() for p in net.parameters()}

        def keep(tensor):
            sizes.append(tensor.numel() if tensor.data_ptr() not in own else 0)
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            net(torch.randn(2, 3, 32, 32))
        return sum(sizes)

    assert kept(True) < 0.3 * kept(False)


def test_gradient_checkpointing_does_not_go_with_weights_that_change_when_they_are_computed():
    with pytest.raises(UsageError, match=r"gradient_checkpointing=true with spectral_norm=true.*leave one out"):
        SpatialDown((3, 16, 16), (4, 4, 4), gradient_checkpointing=True, spectral_norm=True)


def test_groups_are_of_four_channels_or_more_and_at_most_32():
    found = {c: group_norm(c).num_groups for c in (3, 8, 12, 16, 18, 128, 512)}
    assert found == {3: 1, 8: 2, 12: 3, 16: 4, 18: 3, 128: 32, 512: 32}


def test_attention_adds_the_mean_of_the_values_where_all_places_are_alike_and_weighs_them_by_their_products():
    """Queries and keys of zeros give equal weights; one key that is far larger than the others takes them all."""
    attention = SelfAttention(2)
    attention.norm, attention.out = nn.Identity(), nn.Identity()
    weight = torch.zeros(6, 2, 1, 1)
    weight[4, 0] = weight[5, 1] = 1  # values are what comes in
    attention.query_key_value.weight.data, attention.query_key_value.bias.data = weight, torch.zeros(6)
    x = torch.arange(12.0).view(1, 2, 2, 3)
    torch.testing.assert_close(attention(x), x + x.mean((2, 3), keepdim=True))
    attention.query_key_value.bias.data[0] = 100  # of the queries' first entry
    weight[2, 0] = 1  # keys have the input's first channel, the largest of which is 5, at the last place
    torch.testing.assert_close(attention(x), x + torch.tensor([5.0, 11.0]).view(1, 2, 1, 1))


def test_a_strided_convolution_halves_and_rounds_down():
    assert StridedConv(2)(torch.zeros(1, 2, 7, 8)).shape == (1, 2, 3, 4)
