"""The step of each model as one would write it by hand: the same networks and losses, plain PyTorch around them.

Images (B, C, H, W) are the whole batch; optimisers come in the order of the model's players. Nothing is frozen while
another player steps, and each player has fresh fakes, as in most tutorials. It has the allocator's settings of the
trainer, or half of what is compared would be glibc's: see `keep_freed_memory`.

Run by steps.py in a process of its own, as a loop by hand would be: `by_hand.py N_STEPS OVERRIDE ...` answers each line
of its input with the seconds of the processor that so many steps take.
"""

import os
import sys
from collections.abc import Callable, Iterator
from time import process_time
from typing import Any

import contest  # noqa: F401  # puts src and tests on the path

# isort: split
import torch
from omegaconf import DictConfig
from settings import config
from torch import Tensor
from torch.optim import Optimizer

from genlab.commands.machine import keep_freed_memory
from genlab.config.build import build
from genlab.images import to_float
from genlab.losses import kl_to_standard_normal
from genlab.models.autoencoding import reparametrise, squared_distance


def descend(loss: Tensor, optimizer: Optimizer) -> None:
    """One step."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def one_loss(model: Any, x: Tensor, optimizer: Optimizer) -> None:
    """Models with one loss."""
    descend(model.losses(x)["loss"], optimizer)


vae = iwae = wae = vqvae = drifting = one_loss


def ae(model: Any, x: Tensor, optimizer: Optimizer) -> None:
    """With noise on what is encoded, where it denoises."""
    noisy = x + model.corruption * torch.randn_like(x) if model.corruption else x
    descend(squared_distance(x, model.reconstruct(noisy)), optimizer)


def gan(model: Any, x: Tensor, optimizers: list[Optimizer]) -> None:
    """D, then G."""
    d_optimizer, g_optimizer = optimizers
    d, loss = model.discriminator, model.objective.loss
    descend(loss.discriminator(d(x), d(model.sample(len(x)).detach())), d_optimizer)
    descend(loss.generator(d(model.sample(len(x)))), g_optimizer)


def aae(model: Any, x: Tensor, optimizers: list[Optimizer]) -> None:
    """Reconstruction, D, and the encoder against it."""
    optimizer, d_optimizer, g_optimizer = optimizers
    d, loss = model.discriminator, model.objective.loss
    descend(squared_distance(x, model.decode(model.encode(x))), optimizer)
    descend(loss.discriminator(d(model.prior(len(x))), d(model.encode(x).detach())), d_optimizer)
    descend(loss.generator(d(model.encode(x))), g_optimizer)


def aegan(model: Any, x: Tensor, optimizers: list[Optimizer]) -> None:
    """D, then the autoencoder."""
    d_optimizer, optimizer = optimizers
    d, loss = model.discriminator, model.objective.loss

    def fakes() -> Tensor:
        return torch.cat([model.decode(model.encode(x)), model.sample(len(x))])

    descend(loss.discriminator(d(x), d(fakes().detach())), d_optimizer)
    fake = fakes()
    adversarial = model.adversarial_weight * loss.generator(d(fake))
    descend(squared_distance(x, fake[: len(x)]) + adversarial, optimizer)


def bigan(model: Any, x: Tensor, optimizers: list[Optimizer]) -> None:
    """D, then G and E."""
    d_optimizer, g_optimizer = optimizers
    d, loss = model.discriminator, model.objective.loss

    def logits(detached: bool) -> tuple[Tensor, Tensor]:
        z = model.prior(len(x))
        code, fake = model.encode(x), model.decode(z)
        return (d(x, code.detach()), d(fake.detach(), z)) if detached else (d(x, code), d(fake, z))

    descend(loss.discriminator(*logits(detached=True)), d_optimizer)
    real_logits, fake_logits = logits(detached=False)
    descend(loss.discriminator(fake_logits, real_logits), g_optimizer)


def vaegan(model: Any, x: Tensor, optimizers: list[Optimizer]) -> None:
    """Encoder, decoder, D."""
    e_optimizer, g_optimizer, d_optimizer = optimizers
    d, loss = model.discriminator, model.objective.loss
    mean, logvar = model.posterior(x)
    z = reparametrise(mean, logvar)
    descend(kl_to_standard_normal(mean, logvar).mean() + model.dissimilarity(x, model.decode(z)), e_optimizer)
    fake = torch.cat([model.decode(z.detach()), model.sample(len(x))])
    descend(model.gamma * model.dissimilarity(x, fake[: len(x)]) + loss.generator(d(fake)), g_optimizer)
    descend(loss.discriminator(d(x).repeat(2, 1), d(fake.detach())), d_optimizer)


def first_stage(model: Any, x: Tensor, optimizers: list[Optimizer]) -> None:
    """The autoencoder, then D."""
    optimizer, d_optimizer = optimizers
    d, loss = model.discriminator, model.objective.loss
    x_hat, terms = model.reconstruction_terms(x, None)
    g_loss = loss.generator(d(x_hat))
    descend(terms["loss"] + model.adapted_weight(terms["nll"], g_loss) * g_loss, optimizer)
    descend(loss.discriminator(d(x), d(model.reconstruct(x).detach())), d_optimizer)


klgan = vqgan = first_stage


def batches(data: Any) -> Iterator[Tensor]:
    """Without end, in the way of most tutorials that keep their images in memory."""
    images = data.images("train")
    while True:
        for rows in torch.randperm(len(images)).split(data.batch_size)[:-1]:
            yield to_float(images[rows])


def loop(cfg: DictConfig, device: str = "cpu") -> Callable[[], None]:
    """Build a model with its data; what comes back takes one step when called."""
    model, endless = build(cfg.model).to(device), batches(build(cfg.data))
    optimizers = model.configure_optimizers()  # with a list of schedules, where there are players
    optimizers = optimizers[0] if isinstance(optimizers, tuple) else optimizers
    step = globals()[cfg.model._target_.rpartition(".")[2].lower()]
    return lambda: step(model, next(endless).to(device), optimizers)


def answer(n_steps: int, *overrides: str) -> None:
    """Take `n_steps` for each line that comes in, and say how long they took."""
    os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)  # Lightning's, with which PyTorch's optimisers are slower
    keep_freed_memory()
    torch.manual_seed(0)
    step = loop(config(*overrides))
    for _ in sys.stdin:
        start = process_time()
        for _ in range(n_steps):
            step()
        print(process_time() - start, flush=True)


if __name__ == "__main__":
    answer(int(sys.argv[1]), *sys.argv[2:])
