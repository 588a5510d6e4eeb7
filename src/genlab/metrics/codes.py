"""What a code is used for."""

import torch
from torch import Tensor


def active_units(means: Tensor, threshold: float = 0.01) -> int:
    """Count the entries of a code whose posterior mean depends on the image (Burda et al. 2016, section 5.3).

    Entry i is active if Var_x(E[z_i | x]) > threshold. An entry that a VAE has switched off has a mean of 0 whatever
    the image; one that it uses fully has a variance near that of the prior, 1.

    Args:
        means: (N, latent_dim), of N images.
        threshold: in units of the prior's variance.

    Raises:
        ValueError: for fewer than two images, which have no variance.
    """
    if len(means) < 2:
        raise ValueError(f"A variance over images needs at least two of them, got {len(means)}.")
    return int((means.double().var(0) > threshold).sum())


def codebook_use(indices: Tensor, codebook_size: int) -> tuple[Tensor, Tensor]:
    """How evenly a codebook is used by some codes, and which share of it.

    Args:
        indices: numbers (...) of entries, from 0 to codebook_size - 1.
        codebook_size: K.

    Returns:
        The perplexity exp(H) of the frequencies, from 1 where one entry alone is used to K where all are alike; and the
        share of entries that occur at all, of those that could with so many numbers, in (0, 1].
    """
    numbers = indices.flatten()
    counts = numbers.new_zeros(codebook_size).scatter_add_(0, numbers, torch.ones_like(numbers))  # `bincount` waits
    entropy = torch.special.entr(counts / counts.sum()).sum()
    return entropy.exp(), (counts > 0).sum() / min(codebook_size, indices.numel())
