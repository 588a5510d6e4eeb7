"""The Fréchet distance between two sets of feature vectors."""

import torch

from genlab.moments import Moments, symmetric_root


def frechet_distance(a: Moments, b: Moments) -> float:
    """Distance between the Gaussians that fit two sets of features (Dowson and Landau 1982; Heusel et al. 2017, eq. 6).

    ||m_a - m_b||^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)). The trace of the root is the sum of the roots of the
    eigenvalues of S_a^(1/2) S_b S_a^(1/2), which is symmetric, so that no complex numbers arise. Symmetric in a and
    b, 0 for a set with itself, at least 0. In units of the features, squared. Computed in float64.

    Raises:
        ValueError: if a set has fewer than two vectors, as it has no covariance then.
    """
    if min(a.n, b.n) < 2:
        raise ValueError(f"A Fréchet distance needs at least two vectors in each set, got {a.n} and {b.n}.")
    mean_a, mean_b, cov_a, cov_b = (t.double() for t in (a.mean, b.mean, a.cov, b.cov))
    root_a = symmetric_root(cov_a)
    eigenvalues = torch.linalg.eigvalsh(root_a @ cov_b @ root_a)
    trace_of_root = eigenvalues.clamp(min=0).sqrt().sum()
    distance = (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * trace_of_root
    return max(0.0, distance.item())
