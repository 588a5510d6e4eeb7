"""What a code is used for."""

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
