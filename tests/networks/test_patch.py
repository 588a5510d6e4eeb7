"""The discriminator of patches."""

import pytest
import torch

from genlab.networks import PatchDown


@pytest.mark.parametrize(("side", "n_patches"), [(256, 30), (64, 6), (28, 5), (9, 2)])
def test_there_are_as_many_patches_as_convolutions_without_a_border_leave(side, n_patches):
    """Isola et al. 2017: 256 pixels give 30x30 patches. 256 is halved to 32, and two 4x4 convolutions take one each."""
    network = PatchDown((1, side, side), (1,), width=2)
    assert network(torch.zeros(2, 1, side, side)).shape == (2, 1, n_patches, n_patches)


def test_a_logit_sees_seventy_pixels_and_no_more():
    network = PatchDown((1, 256, 256), (1,), width=2)
    x = torch.randn(1, 1, 256, 256, requires_grad=True)
    (seen,) = torch.autograd.grad(network(x)[0, 0, 15, 15], x)
    rows = seen[0, 0].abs().sum(1).nonzero()
    assert rows.max() - rows.min() + 1 == 70


def test_of_a_vector_the_mean_over_patches_is_given():
    network = PatchDown((1, 28, 28), (3, 2), width=2)
    x = torch.randn(4, 1, 28, 28)
    assert network(x).shape == (4, 3, 2)
    torch.testing.assert_close(network(x).flatten(1), network.last(network.features(x)).mean((2, 3)))
