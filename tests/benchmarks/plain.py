"""The plain contestants of time_to_score.py: a GAN and a VAE as one writes them by hand.

Each trains on images (N, 1, 28, 28) in [-1, 1] until `tick` is False, which counts its steps and has it sample.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel

Sample = Callable[[int], Tensor]  # n -> images (n, 1, 28, 28) in [-1, 1]
Tick = Callable[[Sample], bool]

BATCH_SIZE = 64


def batches(images: Tensor) -> Iterator[Tensor]:
    while True:
        yield from (images[rows] for rows in torch.randperm(len(images)).split(BATCH_SIZE)[:-1])


def plain_gan(images: Tensor, tick: Tick) -> None:
    """A DCGAN of two stages, with what an expert knows: the fake reused, D frozen in G's step, an EMA with a ramp."""
    generator = nn.Sequential(
        nn.Linear(64, 64 * 7 * 7, bias=False),
        nn.Unflatten(1, (64, 7, 7)),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 1, 4, 2, 1),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(1, 32, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(32, 64, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 1),
    )
    for layer in [*generator, *discriminator]:
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, std=0.02)
    g_optimizer, d_optimizer = (
        torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999), fused=True) for network in (generator, discriminator)
    )
    n_steps = 0

    def lerp(old: Any, new: Any, _: object) -> None:
        if old[0].is_floating_point():
            torch._foreach_lerp_(old, new, 1 - min(0.999, (1 + n_steps) / (10 + n_steps)))

    average = AveragedModel(generator, multi_avg_fn=lerp, use_buffers=True)

    def sample(n: int) -> Tensor:
        return average.module.eval()(torch.randn(n, 64, generator=torch.Generator().manual_seed(0)))

    for real in batches(images):
        fake = generator(torch.randn(len(real), 64))
        logits = discriminator(torch.cat([real, fake.detach()]))
        d_optimizer.zero_grad()
        (F.softplus(-logits[: len(real)]).mean() + F.softplus(logits[len(real) :]).mean()).backward()
        d_optimizer.step()
        discriminator.requires_grad_(False)
        g_optimizer.zero_grad()
        F.softplus(-discriminator(fake)).mean().backward()
        g_optimizer.step()
        discriminator.requires_grad_(True)
        average.update_parameters(generator)
        n_steps += 1
        if not tick(sample):
            return


class PlainVAE(nn.Module):
    """As pythae's default: one hidden layer of 512 each way, 10 entries a code, half the squared error on [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 512), nn.ReLU())
        self.mean, self.logvar = nn.Linear(512, 10), nn.Linear(512, 10)
        self.decoder = nn.Sequential(nn.Linear(10, 512), nn.ReLU(), nn.Linear(512, 28 * 28), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """The negative ELBO of images (B, 1, 28, 28) in [0, 1]."""
        hidden = self.encoder(x)
        mean, logvar = self.mean(hidden), self.logvar(hidden)
        z = mean + (0.5 * logvar).exp() * torch.randn_like(mean)
        error = 0.5 * (self.decoder(z) - x.flatten(1)).square().sum(1)
        return (error - 0.5 * (1 + logvar - mean.square() - logvar.exp()).sum(1)).mean()


def plain_vae(images: Tensor, tick: Tick) -> None:
    """pythae's default model and trainer: Adam of 1e-4, batches of 64."""
    model = PlainVAE()
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)

    def sample(n: int) -> Tensor:
        z = torch.randn(n, 10, generator=torch.Generator().manual_seed(0))
        return model.decoder(z).unflatten(1, (1, 28, 28)) * 2 - 1

    for x in batches(images / 2 + 0.5):
        loss = model(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if not tick(sample):
            return
