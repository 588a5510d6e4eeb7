"""Distances between distributions of codes: KL in nats, with what eases its training, and MMD."""

import torch
from torch import Tensor

from genlab.errors import UsageError

SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def kl_per_entry(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mean, exp(logvar)) || N(0, 1)) of each entry in closed form (Kingma and Welling 2014, appendix B).

    Args:
        mean: (B, *latent_shape).
        logvar: (B, *latent_shape), the logarithm of the variances.

    Returns:
        (B, *latent_shape) in nats, not negative; 0 exactly where mean = 0 and logvar = 0.
    """
    mean, logvar = mean.float(), logvar.float()  # under autocast they come in half precision
    return 0.5 * (mean.square() + logvar.exp() - 1.0 - logvar)


def kl_to_standard_normal(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mean, diag exp(logvar)) || N(0, I)): the sum of `kl_per_entry` over the code, (B,) in nats."""
    return kl_per_entry(mean, logvar).flatten(1).sum(1)


def free_bits(kl: Tensor, nats: float) -> Tensor:
    """Sum over entries of max(nats, batch mean of the entry's KL) (Kingma et al. 2016, section C.8, eq. 15).

    An entry that carries less than `nats` gets no gradient towards the prior, so that it isn't switched off early.

    Args:
        kl: (B, *latent_shape) in nats, as from `kl_per_entry`.
        nats: what each entry may carry for free, at least 0; 0 gives the mean KL itself.

    Returns:
        A scalar in nats, at least latent_dim * nats.
    """
    return kl.mean(0).clamp_min(nats).sum()


def warm_up(images_seen: int, n_images: int) -> float:
    """A factor that rises linearly from 0 to 1 over the first `n_images` (Bowman et al. 2016; Sønderby et al. 2016).

    Counted in images and not in steps, it does not depend on the batch size. 1 throughout for n_images = 0.
    """
    return min(1.0, images_seen / n_images) if n_images > 0 else 1.0


def mmd(z: Tensor, prior_z: Tensor) -> Tensor:
    """Estimate the squared maximum mean discrepancy between two samples of codes (Tolstikhin et al. 2018, alg. 2).

    The unbiased estimator, 0 in expectation for equal distributions and so at times negative, with the sum over s of
    the inverse multiquadratic kernels C / (C + |a - b|^2), C = 2 latent_dim s, s = 0.1, 0.2, 0.5, 1, 2, 5, 10: section
    4 there with a prior N(0, I), and the scales of the authors' code. Computed in float32 also under autocast, as it
    is a small difference of large sums.

    Args:
        z: (B, *latent_shape).
        prior_z: (M, *latent_shape).

    Returns:
        A scalar below 14: twice the number of scales.

    Raises:
        UsageError: for a sample of less than two codes.
    """
    if min(len(z), len(prior_z)) < 2:
        raise UsageError(f"MMD compares two or more codes with two or more, not {len(z)} with {len(prior_z)}.")
    with torch.autocast(z.device.type, enabled=False):
        z, prior_z = z.float().flatten(1), prior_z.float().flatten(1)
        return _without_itself(z) + _without_itself(prior_z) - 2 * _kernel(z, prior_z).mean()


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    """Sum the kernels over scales: (B, latent_dim) and (M, latent_dim) to (B, M)."""
    squared_distance = (a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T).clamp_min(0)
    base = 2 * a.shape[1]
    return sum((base * s / (base * s + squared_distance) for s in SCALES), torch.zeros_like(squared_distance))


def _without_itself(z: Tensor) -> Tensor:
    """Mean of the kernel over pairs of different codes (B, latent_dim); a code's kernel with itself is len(SCALES)."""
    n = len(z)
    kernel = _kernel(z, z)
    return (kernel.sum() - kernel.diagonal().sum()) / (n * (n - 1))
