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
    root = symmetric_root(a.cov.double()) if root is None else root.double()
    cov = b.cov.double()
    eigenvalues = torch.linalg.eigvalsh(_between_roots(root, cov))
    traces = a.scatter.double().trace() / (a.n - 1) + cov.trace()
    return _distance(a.mean.double() - b.mean.double(), traces, eigenvalues, min(a.n - 1, b.n - 1))


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


def frechet_with_influence(
    reference: Moments, moments: Moments, features: Tensor, root: Tensor | None = None
) -> tuple[float, Tensor]:
    """The distance of n vectors from a reference, and how much each of some of them pulls it: (r,), of mean 0.

    Both need the same eigenvalues. The latter is the influence function of `frechet_distance` in the distribution of
    the vectors x, of mean m and covariance S:

        2 (m - m_r).(x - m) + (x - m)^T (I - M) (x - m) - tr((I - M) S),

    with M = S_r^(1/2) (S_r^(1/2) S S_r^(1/2))^(-1/2) S_r^(1/2), the linear map that transports the one Gaussian to the
    other: I - M is the derivative of the distance in S. By the delta method the distance of n such vectors has the
    variance var(influence) / n about its own mean, which lies above that of infinitely many (Rippl, Munk and Sturm
    2016, for Gaussian distributions). Resampling with replacement would not do: repeated vectors raise the distance.
    The distance is computed in float64, the influence in float32.

    Args:
        reference: moments of features (m, D).
        moments: those of the n vectors, of which there are more than dimensions.
        features: (r, D), the vectors or some of them.
        root: S_r^(1/2) (D, D) if it is at hand.

    Raises:
        ValueError: if a set has fewer than two vectors, as it has no covariance then.
    """
    _require_two(reference.n, moments.n)
    cov, own = reference.cov.double(), moments.cov.double()
    root = symmetric_root(cov) if root is None else root.double()
    w, v = torch.linalg.eigh(_between_roots(root, own))
    is_spanned = w > w[-1] * 1e-12  # the others are rounding
    axes = root.float() @ (v[:, is_spanned] * w[is_spanned].pow(-1 / 4)).float()  # M = axes axes^T
    shift = moments.mean.double() - reference.mean.double()
    centred = (features.double() - moments.mean.double()).float()
    distance = _distance(shift, cov.trace() + own.trace(), w, min(moments.n, reference.n) - 1)
    return distance, _influence(centred, shift.float(), (centred @ axes).square().sum(1))


def frechet_with_influence_of_few(reference: Moments, features: Tensor) -> tuple[float, Tensor]:
    """As `frechet_with_influence`, of all vectors, for fewer of them than dimensions: there S has no inverse.

    With X the centred vectors as rows and U w U^T = X S_r X^T / (n-1), (x_i - m)^T M (x_i - m) = (n-1) sum_k
    U_ik^2 w_k^(1/2).

    Args:
        reference: moments of features (m, D).
        features: (n, D).

    Raises:
        ValueError: if a set has fewer than two vectors, as it has no covariance then.
    """
    n = len(features)
    _require_two(reference.n, n)
    features, cov = features.double(), reference.cov.double()
    mean = features.mean(0)
    centred, shift = features - mean, mean - reference.mean.double()
    w, u = torch.linalg.eigh(centred @ cov @ centred.T / (n - 1))
    traces = cov.trace() + centred.square().sum(1).sum() / (n - 1)
    distance = _distance(shift, traces, w, min(n - 1, reference.n - 1, len(mean)))
    return distance, _influence(centred, shift, (n - 1) * (u.square() @ w.clamp(min=0).sqrt()))


def _between_roots(root: Tensor, cov: Tensor) -> Tensor:
    """The lower triangle of S^(1/2) cov S^(1/2), (D, D), all that `eigh` reads of it; by blocks, which is faster."""
    left, product = root @ cov, torch.zeros_like(cov)
    step = len(root) // 4 + 1
    for start in range(0, len(root), step):
        rows, stop = slice(start, start + step), start + step
        product[rows, :stop] = left[rows] @ root[:, :stop]
    return product


def _influence(centred: Tensor, shift: Tensor, transported: Tensor) -> Tensor:
    pulls = centred.square().sum(1) - transported
    return 2 * centred @ shift + pulls - pulls.mean()


def _distance(shift: Tensor, traces: Tensor, eigenvalues: Tensor, rank: int) -> float:
    # Ascending eigenvalues beyond the rank are rounding, 1e-16 of the largest: a thousand roots of 1e-8 would count.
    trace_of_root = eigenvalues[-rank:].clamp(min=0).sqrt().sum()
    return max(0.0, (shift.square().sum() + traces - 2 * trace_of_root).item())


def _require_two(n_a: int, n_b: int) -> None:
    if min(n_a, n_b) < 2:
        raise ValueError(f"A Fréchet distance needs at least two vectors in each set, got {n_a} and {n_b}.")
