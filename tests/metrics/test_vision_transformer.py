"""The network of DINOv2 against torch's own transformer, and its positions against numbers derived by hand."""

import pytest
import torch
from torch import nn

from genlab.metrics.encoders.vision_transformer import Block, VisionTransformer


def test_a_block_is_torchs_transformer_layer_with_the_weights_of_its_channels_multiplied_in(generator):
    """Scaling what a branch adds is scaling the rows of the branch's last linear map."""
    block = Block(8, n_heads=2).eval()
    for parameter in block.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    options = {"dropout": 0.0, "activation": "gelu", "layer_norm_eps": 1e-6, "batch_first": True, "norm_first": True}
    layer = nn.TransformerEncoderLayer(8, 2, 32, **options)
    gamma1, gamma2 = block.ls1["gamma"].data, block.ls2["gamma"].data
    ours = block.state_dict()
    layer.load_state_dict(
        {
            "self_attn.in_proj_weight": ours["attn.qkv.weight"],
            "self_attn.in_proj_bias": ours["attn.qkv.bias"],
            "self_attn.out_proj.weight": gamma1[:, None] * ours["attn.proj.weight"],
            "self_attn.out_proj.bias": gamma1 * ours["attn.proj.bias"],
            "linear1.weight": ours["mlp.fc1.weight"],
            "linear1.bias": ours["mlp.fc1.bias"],
            "linear2.weight": gamma2[:, None] * ours["mlp.fc2.weight"],
            "linear2.bias": gamma2 * ours["mlp.fc2.bias"],
            **{f"norm{n}.{part}": ours[f"norm{n}.{part}"] for n in (1, 2) for part in ("weight", "bias")},
        },
        strict=True,
    )
    x = torch.randn(2, 5, 8, generator=generator)
    torch.testing.assert_close(block(x), layer(x), atol=1e-4, rtol=1e-4)  # in training mode: no fused kernel


def test_the_published_architecture_has_the_tensors_of_the_published_file():
    """14 in each of 12 blocks; class, mask and positions; patches and the last norm, two each: 175."""
    state = VisionTransformer().state_dict()
    assert len(state) == 12 * 14 + 3 + 2 + 2 == 175
    assert state["pos_embed"].shape == (1, 1 + (518 // 14) ** 2, 384)
    assert state["blocks.11.ls2.gamma"].shape == (384,)


def test_positions_of_smaller_images_are_sampled_at_steps_of_37_over_16_and_a_tenth():
    """The first of 16 rows lies at 0.5 * 37 / 16.1 - 0.5 = 0.6491 and weighs row 1, 0.3509 away, by the cubic kernel.

    With a = -0.75: 1.25 * 0.3509**3 - 2.25 * 0.3509**2 + 1 = 0.7769. Without the tenth it would be 0.7849.
    """
    network = VisionTransformer(width=1, depth=0, n_heads=1)
    network.pos_embed.data[:, 1:] = 0.0
    network.pos_embed.data[0, 1 + 37 : 1 + 2 * 37] = 1.0  # row 1 of the grid, behind the class token
    positions = network.positions(16, 16).reshape(16, 16)
    assert positions[0].tolist() == pytest.approx([0.7769] * 16, abs=1e-4)
    assert torch.equal(network.positions(37, 37), network.pos_embed[:, 1:])


def test_the_class_token_sees_every_patch(generator):
    network = VisionTransformer(width=8, depth=1, n_heads=2, patch_size=2, grid_size=2).eval()
    image = torch.randn(1, 3, 4, 4, generator=generator)
    for row, column in ((0, 0), (0, 3), (3, 0), (3, 3)):
        changed = image.clone()
        changed[0, 0, row, column] += 1
        assert not torch.allclose(network(changed), network(image), atol=1e-6)


def test_what_comes_out_is_the_class_token_normalised(generator):
    """Without blocks it has seen no image: it is what was learnt, with the first position added."""
    network = VisionTransformer(width=8, depth=0, n_heads=2, patch_size=2, grid_size=2)
    for parameter in (network.cls_token, network.pos_embed):
        parameter.data = torch.randn(parameter.shape, generator=generator)
    token = network.cls_token[0, 0] + network.pos_embed[0, 0]
    images = torch.randn(3, 3, 4, 4, generator=generator)
    torch.testing.assert_close(network(images), nn.functional.layer_norm(token, (8,), eps=1e-6).expand(3, 8))
