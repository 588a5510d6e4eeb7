"""Decoders, inverted."""

import pytest
import torch
from torch import nn

from genlab.metrics import invert


def test_a_linear_decoder_gives_the_code_of_least_squares(generator):
    """argmin_z |W z + b - x| is W^+ (x - b)."""
    w, b, x = (torch.randn(shape, generator=generator) for shape in ((20, 3), (20,), (5, 20)))
    draws = 2 + torch.randn(100, 3, generator=generator)
    found = invert(lambda z: (z @ w.T + b).view(-1, 1, 4, 5), x.view(-1, 1, 4, 5), draws, n_steps=500)
    assert torch.allclose(found, (x - b) @ torch.linalg.pinv(w).T, atol=2e-3)


def test_of_two_valleys_the_deeper_one_is_found(generator):
    """|z^2 - 1| + (z + 1)^2 / 10 is smallest at -1; from +2 alone the search ends on the other side of the hill."""

    def decode(z):
        return torch.stack([z * z - 1, (z + 1) / 10**0.5], 2)[..., None]

    x, draws = torch.zeros(1, 1, 2, 1), torch.tensor([[2.0], [-2.5]])
    assert invert(decode, x, draws, n_starts=2).item() == pytest.approx(-1, abs=1e-3)
    assert invert(decode, x, draws[:1].repeat(2, 1) + torch.tensor([[0.0], [0.1]]), n_starts=2).item() > 0.5


def test_steps_are_in_deviations_of_the_draws(generator):
    """Codes in other units give the same images."""
    draws, x = torch.randn(50, 2, generator=generator), torch.rand(3, 1, 2, 1, generator=generator)
    small, large = (invert(lambda z, s=s: (z / s).sin().view(-1, 1, 2, 1), x, s * draws, n_steps=9) for s in (1, 64))
    assert torch.allclose(64 * small, large, rtol=1e-4)


def test_the_decoder_is_left_as_it_was(generator):
    decoder = nn.Sequential(nn.Linear(2, 6), nn.Unflatten(1, (1, 2, 3)))
    with torch.no_grad():
        invert(decoder, torch.zeros(2, 1, 2, 3), torch.randn(8, 2, generator=generator), n_steps=3)
    assert all(p.grad is None and p.requires_grad for p in decoder.parameters())
