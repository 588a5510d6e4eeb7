"""Penalties on the gradient of a discriminator in its input, which keep it smooth.

A penalty is called with `critic`, any callable from a batch to logits, with real and fake batches, and with a CPU
generator for what it draws. It returns a scalar, differentiable in the critic's weights. A batch is a tensor of any
shape (B, ...), images or codes, or a tuple of such tensors, of which the critic takes one argument each (BiGAN: image
and code) and in all of which the gradient is taken jointly.

All is computed in float32 copies with autocast off: squares of small gradients leave the range of half precision. The
critic has to allow a second derivative (no `torch.compile`) and its weights have to be float32. Gradients are enabled
inside, so that a penalty can be measured in evaluation too.
"""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from genlab.bounds import PositiveFloat, PositiveInt
from genlab.devices import send
from genlab.protocols import Penalty

Batch = Tensor | tuple[Tensor, ...]
Critic = Callable[..., Tensor]


class GradientPenalty(Penalty):
    """What all penalties share: their coefficient and how often they are due.

    Args:
        weight: coefficient, above 0.
        every: n adds the penalty in each n-th step only, n times as strong (Karras et al. 2020, section 3.1).
    """

    def __init__(self, weight: PositiveFloat, every: PositiveInt = 1) -> None:
        self.weight = weight
        self.every = every


class R1(GradientPenalty):
    """Zero-centred penalty at real samples: weight / 2 E[|grad D(x)|^2] (Mescheder et al. 2018, eq. 9)."""

    def __call__(self, critic: Critic, real: Batch, fake: Batch, generator: Generator | None = None) -> Tensor:
        return self.weight / 2 * slopes(critic, parts(real)).square().mean()


class R2(GradientPenalty):
    """Zero-centred penalty at fake samples: weight / 2 E[|grad D(G(z))|^2] (Mescheder et al. 2018, eq. 10)."""

    def __call__(self, critic: Critic, real: Batch, fake: Batch, generator: Generator | None = None) -> Tensor:
        return self.weight / 2 * slopes(critic, parts(fake)).square().mean()


class OneCentered(GradientPenalty):
    """The penalty of WGAN-GP: weight E[(|grad D(x)| - 1)^2] between real and fake (Gulrajani et al. 2017, eq. 3).

    Each x lies at a uniformly random place on the line from a fake sample to the real one of the same row. The critic
    must not mix the samples of a batch, so it may hold no BatchNorm (section 4 there).
    """

    forbids_batch_norm = True

    def __call__(self, critic: Critic, real: Batch, fake: Batch, generator: Generator | None = None) -> Tensor:
        pairs = list(zip(parts(real), parts(fake), strict=True))
        share = torch.rand(len(pairs[0][0]), generator=generator)  # one a row, the same in all parts
        x = tuple(b + rows(share, a) * (a - b) for a, b in pairs)
        return self.weight * (slopes(critic, x) - 1).square().mean()


class DRAGAN(GradientPenalty):
    """weight E[(|grad D(x + delta)| - 1)^2] around real samples (Kodali et al. 2017).

    The paper writes delta ~ N(0, c I) and leaves c to the user. Here, as in the authors' code, delta = u noise sd(x) e,
    with e uniform in [0, 1] a value, u uniform in [0, 1] a sample, and sd(x) the standard deviation over the batch.

    Args:
        noise: the largest perturbation, in standard deviations of the batch, above 0.
        weight, every: as in the other penalties.
    """

    def __init__(self, weight: float, noise: PositiveFloat = 0.5, every: int = 1) -> None:
        super().__init__(weight, every)
        self.noise = noise

    def __call__(self, critic: Critic, real: Batch, fake: Batch, generator: Generator | None = None) -> Tensor:
        real = parts(real)
        share = torch.rand(len(real[0]), generator=generator)
        directions = [send(torch.rand(part.shape, generator=generator), part) for part in real]
        x = tuple(a + rows(share, a) * self.noise * a.std() * e for a, e in zip(real, directions, strict=True))
        return self.weight * (slopes(critic, x) - 1).square().mean()


def as_tuple(batch: Batch) -> tuple[Tensor, ...]:
    """A batch as the arguments of a critic."""
    return batch if isinstance(batch, tuple) else (batch,)


def parts(batch: Batch) -> tuple[Tensor, ...]:
    """The tensors of a batch in float32, cut off from what made them."""
    return tuple(part.detach().float() for part in as_tuple(batch))


def rows(values: Tensor, like: Tensor) -> Tensor:
    """Shape one value a row (B,) for products with `like` (B, ...), and move it there."""
    return send(values, like).reshape(-1, *[1] * (like.ndim - 1))


def slopes(critic: Critic, x: tuple[Tensor, ...]) -> Tensor:
    """|grad D(x)| of each sample over all parts of x, each (B, ...), to (B,), differentiable in the critic's weights.

    One backward pass of the summed logits gives the gradients of all samples, as each logit depends on its own alone.
    """
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(x[0].device.type, enabled=False):
        x = tuple(part.clone().requires_grad_() for part in x)
        gradients = torch.autograd.grad(critic(*x).sum(), x, create_graph=True)
        # The norm's own derivative at 0 is 0, where that of a root of squares would be NaN.
        return torch.linalg.vector_norm(torch.cat([g.flatten(1) for g in gradients], dim=1), dim=1)
