"""How probable images are under a model, from log weights and in bits."""

from math import log

from torch import Tensor


def importance_weighted_bound(log_weights: Tensor) -> Tensor:
    """log(1/K sum_k w_k), a lower bound of log p(x) in expectation that tightens with K (Burda et al. 2016, eq. 8).

    Args:
        log_weights: (K, B), log p(x | z_k) + log p(z_k) - log q(z_k | x) with z_k drawn from q(z | x), in nats.

    Returns:
        (B,) in nats; for K = 1 the ELBO.
    """
    return log_weights.logsumexp(0) - log(len(log_weights))


def bits_per_dimension(nats: Tensor, n_dims: int, cell: float) -> Tensor:
    """-log2 P(x) divided by the number of dimensions, with P(x) the density times the volume of a pixel value.

    (nats / D - ln cell) / ln 2. With cell = 2/255, for 256 grey levels on [-1, 1], the uniform density costs log2(255)
    bits, and not 8, as half of the first and of the last cell lie outside. P(x) stands for the integral over the cell:
    that holds while the density changes little within one, and overrates a density that is narrower.

    Args:
        nats: -log p(x), or a bound of it: (B,).
        n_dims: D = C H W.
        cell: the likelihood's own: width of a pixel value, 1 where p(x) is a probability already.

    Returns:
        Bits a dimension (B,).
    """
    return (nats / n_dims - log(cell)) / log(2)
