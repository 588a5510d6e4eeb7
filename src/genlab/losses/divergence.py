"""Distances between distributions of codes, in nats."""

from torch import Tensor


def kl_to_standard_normal(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mean, diag exp(logvar)) || N(0, I)) in closed form (Kingma and Welling 2014, appendix B).

    Args:
        mean: (B, latent_dim).
        logvar: (B, latent_dim), the logarithm of the variances.

    Returns:
        (B,) in nats, summed over the entries of the code; 0 exactly where mean = 0 and logvar = 0.
    """
    return 0.5 * (mean.square() + logvar.exp() - 1.0 - logvar).sum(1)
