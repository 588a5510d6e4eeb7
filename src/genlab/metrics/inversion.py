"""The codes whose images come closest to given ones: a decoder, inverted by descent."""

from collections.abc import Callable

import torch
from torch import Tensor

from genlab.conditioning import given
from genlab.metrics.neighbours import nearest_few

AT_ONCE = 100  # draws that are decoded together


def invert(
    decode: Callable[..., Tensor],
    x: Tensor,
    draws: Tensor,
    n_starts: int = 4,
    n_steps: int = 200,
    lr: float = 0.1,
    y: Tensor | None = None,
) -> Tensor:
    """Search argmin_z ||decode(z) - x||^2 for each image (Metz et al. 2017; Creswell and Bharath 2018).

    The search starts from those draws of the prior that look most like the image, and goes down the gradient from all
    of them at once, by Adam with a rate that falls to 0 along half a cosine. Of the ends the best one counts. What it
    finds is an upper bound: a closer image may have been missed. Nothing keeps the codes where the prior has its mass.

    Args:
        decode: maps codes (B, *latent_shape) to images (B, C, H, W); of a model in evaluation mode. Its parameters are
            left alone, and so are their gradients.
        x: (B, C, H, W) in [-1, 1].
        draws: (n, *latent_shape) from the prior, n at least 2 and `n_starts`.
        n_starts: how many searches for an image.
        n_steps: of each.
        lr: the first rate, in standard deviations of the draws.
        y: labels of the images, if `decode` takes any; the draws, which are decoded once for all, have them in turn.

    Returns:
        Codes (B, *latent_shape).
    """
    with torch.no_grad():
        rows = torch.arange(len(draws)).split(AT_ONCE)
        made = torch.cat([decode(draws[part], **given(None if y is None else y[part % len(y)])) for part in rows])
        start, scale = draws[nearest_few(x, made, n_starts)[1]].flatten(0, 1), draws.std(0)
    target, told = x.repeat_interleave(n_starts, 0), given(None if y is None else y.repeat_interleave(n_starts, 0))

    def errors(move: Tensor) -> Tensor:
        return (decode(start + scale * move, **told) - target).square().flatten(1).sum(1)

    move = torch.zeros_like(start, requires_grad=True)
    optimizer = torch.optim.Adam([move], lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    for _ in range(n_steps):
        with torch.enable_grad():
            (move.grad,) = torch.autograd.grad(errors(move).sum(), move)
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        best = errors(move).view(len(x), n_starts).argmin(1)
        ends = (start + scale * move).unflatten(0, (len(x), n_starts))
        return ends[torch.arange(len(x), device=x.device), best]
