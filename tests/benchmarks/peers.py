"""Contestants of time_to_score.py from other packages, where these are installed: their models and losses."""

from importlib.util import find_spec

import torch
from plain import Tick, batches
from torch import Tensor


def pythae_vae(images: Tensor, tick: Tick) -> None:
    """pythae's VAE with its own networks, and by its trainer's defaults: Adam of 1e-4, batches of 64."""
    from pythae.models import VAE, VAEConfig

    model = VAE(VAEConfig(input_dim=(1, 28, 28)))
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)

    def sample(n: int) -> Tensor:
        z = torch.randn(n, model.latent_dim, generator=torch.Generator().manual_seed(0))
        return model.decoder(z).reconstruction * 2 - 1

    for x in batches(images / 2 + 0.5):
        loss = model({"data": x}).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if not tick(sample):
            return


PEERS = {"pythae_vae": pythae_vae} if find_spec("pythae") else {}
