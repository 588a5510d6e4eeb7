"""The Wasserstein autoencoder."""

import pytest
import torch

from genlab.losses import mmd
from genlab.models import WAE
from genlab.networks import MLP


def model(**options) -> WAE:
    torch.manual_seed(0)
    return WAE((1, 8, 8), 3, encoder=MLP, decoder=MLP, optimizer=torch.optim.Adam, **options)


def test_the_loss_is_the_squared_distance_and_the_weighed_mmd_of_codes_and_prior(generator):
    wae, x = model(mmd_weight=7.0), torch.randn(6, 1, 8, 8, generator=generator)
    losses = wae.losses(x, torch.Generator().manual_seed(1))
    prior = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(losses["mmd"], mmd(wae.encode(x), prior))
    torch.testing.assert_close(losses["distance"], (x - wae.reconstruct(x)).square().sum() / 6)
    torch.testing.assert_close(losses["loss"], losses["distance"] + 7 * losses["mmd"])


def test_a_batch_of_one_image_has_no_mmd():
    assert model().losses(torch.zeros(1, 1, 8, 8))["mmd"] == 0


@pytest.mark.slow
def test_training_on_the_mmd_alone_brings_codes_to_the_prior(generator):
    wae, x = model(), 3 + torch.randn(200, 1, 8, 8, generator=generator)
    optimizer = torch.optim.Adam(wae.encoder.parameters(), lr=1e-3)
    for _ in range(150):
        optimizer.zero_grad()
        wae.losses(x, generator)["mmd"].backward()
        optimizer.step()
    z = wae.encode(x)
    assert z.mean(0).abs().max() < 0.3
    assert (z.std(0) - 1).abs().max() < 0.4
