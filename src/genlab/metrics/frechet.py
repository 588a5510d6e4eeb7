"""The Fréchet distance between two sets of feature vectors."""

import torch
from torch import Tensor

from genlab.moments import Moments, symmetric_root


def frechet_distance(a: Moments, b: Moments, root: Tensor | None = None) -> float:
    """Distance between the Gaussians that fit two sets of features (Dowson and Landau 1982; Heusel et al. 2017, eq. 6).

    ||m_a - m_b||^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)). The trace of the root is the sum of the roots of the
    eigenvalues of S_a^(1/2) S_b S_a^(1/2), which is symmetric, so that no complex numbers arise. Symmetric in a and
    b, 0 for a set with itself, at least 0. In units of the features, squared. Computed in float64.

    Args:
        a: moments of features (n, D).
        b: moments of features (m, D).
        root: S_a^(1/2) (D, D) if it is at hand, as it is half of the work: `symmetric_root(a.cov.double())`.

    Raises:
        ValueError: if a set has fewer than two vectors, as it has no covariance then.
    """
    _require_two(a.n, b.n)
    cov_a, cov_b = a.cov.double(), b.cov.double()
    root_a = symmetric_root(cov_a) if root is None else root.double()
    eigenvalues = torch.linalg.eigvalsh(root_a @ cov_b @ root_a)
    rank = min(a.n - 1, b.n - 1)
    return _distance(a.mean.double() - b.mean.double(), cov_a.trace() + cov_b.trace(), eigenvalues, rank)


def frechet_distance_of_few(reference: Moments, features: Tensor) -> float:
    """As `frechet_distance`, faster for fewer vectors than dimensions, and without the root of a covariance.

    With X the centred features, the eigenvalues of S_r X^T X / (n-1) that are not 0 are those of the n x n matrix
    X S_r X^T / (n-1). So n = 500 vectors of 2,048 entries need the eigenvalues of a matrix of 500 rows.

    Args:
        reference: moments of features (m, D).
        features: (n, D).

    Raises:
        ValueError: if a set has fewer than two vectors, as it has no covariance then.
    """
    n = len(features)
    _require_two(reference.n, n)
    mean, cov = reference.mean.double(), reference.cov.double()
    features = features.double()
    centred = features - features.mean(0)
    eigenvalues = torch.linalg.eigvalsh(centred @ cov @ centred.T / (n - 1))
    rank = min(n - 1, reference.n - 1, len(mean))
    return _distance(mean - features.mean(0), cov.trace() + centred.square().sum() / (n - 1), eigenvalues, rank)


def frechet_with_influence(reference: Moments, features: Tensor, root: Tensor | None = None) -> tuple[float, Tensor]:
    """The distance of n vectors from a reference, and how much each of them pulls it: (n,) in float64, of mean 0.

    Both need the same eigenvalues. The latter is the influence function of `frechet_distance` in the distribution of
    the vectors x, of mean m and covariance S:

        2 (m - m_r).(x - m) + (x - m)^T (I - M) (x - m) - tr((I - M) S),

    with M = S_r^(1/2) (S_r^(1/2) S S_r^(1/2))^(-1/2) S_r^(1/2), the linear map that transports the one Gaussian to the
    other: I - M is the derivative of the distance in S. By the delta method the distance of n such vectors has the
    variance var(influence) / n about its own mean, which lies above that of infinitely many (Rippl, Munk and Sturm
    2016, for Gaussian distributions). Resampling with replacement would not do: repeated vectors raise the distance.

    With X the centred vectors as rows and U w U^T = X S_r X^T / (n-1), (x_i - m)^T M (x_i - m) = (n-1) sum_k
    U_ik^2 w_k^(1/2), also of fewer vectors than dimensions, where S has no inverse.

    Args:
        reference: moments of features (m, D).
        features: (n, D).
        root: S_r^(1/2) (D, D) if it is at hand; only more vectors than dimensions need it.

    Raises:
        ValueError: if a set has fewer than two vectors, as it has no covariance then.
    """
    n = len(features)
    _require_two(reference.n, n)
    features, cov = features.double(), reference.cov.double()
    mean = features.mean(0)
    centred, shift = features - mean, mean - reference.mean.double()
    if n <= features.shape[1]:
        w, u = torch.linalg.eigh(centred @ cov @ centred.T / (n - 1))
        transported = (n - 1) * (u.square() @ w.clamp(min=0).sqrt())
    else:
        turned = centred @ (symmetric_root(cov) if root is None else root.double())
        w, v = torch.linalg.eigh(turned.T @ turned / (n - 1))
        is_spanned = w > w[-1] * 1e-12  # the others are rounding
        transported = (turned @ v[:, is_spanned]).square() @ w[is_spanned].rsqrt()
    squares = centred.square().sum(1)
    rank = min(n - 1, reference.n - 1, len(mean))
    distance = _distance(shift, cov.trace() + squares.sum() / (n - 1), w, rank)
    pulls = squares - transported
    return distance, 2 * centred @ shift + pulls - pulls.mean()


def _distance(shift: Tensor, traces: Tensor, eigenvalues: Tensor, rank: int) -> float:
    # Ascending eigenvalues beyond the rank are rounding, 1e-16 of the largest: a thousand roots of 1e-8 would count.
    trace_of_root = eigenvalues[-rank:].clamp(min=0).sqrt().sum()
    return max(0.0, (shift.square().sum() + traces - 2 * trace_of_root).item())


def _require_two(n_a: int, n_b: int) -> None:
    if min(n_a, n_b) < 2:
        raise ValueError(f"A Fréchet distance needs at least two vectors in each set, got {n_a} and {n_b}.")
