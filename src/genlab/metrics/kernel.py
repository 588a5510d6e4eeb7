"""The kernel distance between two sets of feature vectors, which unlike Fréchet's has no bias for few of them."""

from torch import Tensor


def kernel_distance(
    features: Tensor, reference: Tensor, n_subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Estimate the squared MMD with the kernel (a.b / D + 1)^3 (KID: Binkowski et al. 2018, section 4).

    The unbiased estimator, 0 in expectation for equal distributions and so at times negative. It is averaged over
    pairs of subsets that are drawn without replacement. Computed by torch-fidelity, in float32: differences below
    about 1e-6 of the kernel's values are rounding.

    Args:
        features: (n, D).
        reference: (m, D).
        n_subsets: number of pairs, at least 1.
        subset_size: vectors in each subset; fewer if a set has fewer, which then takes part as a whole.
        seed: of the draw of subsets. The global generators stay as they are.

    Returns:
        Mean and standard deviation over subsets. The deviation is that of one subset, not of the mean, and subsets
        overlap: it is 0 where both sets are no larger than a subset.

    Raises:
        ValueError: if a set has fewer than two vectors, or if there are no subsets.
    """
    subset_size = min(subset_size, len(features), len(reference))
    if subset_size < 2 or n_subsets < 1:
        raise ValueError(f"A kernel distance needs subsets of at least two vectors, got {n_subsets} of {subset_size}.")
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

    found = kid_features_to_metric(
        features.double(),  # cubes of products lose what tells two sets apart in single precision
        reference.double(),
        kid_subsets=n_subsets,
        kid_subset_size=subset_size,
        kid_kernel="poly",
        kid_kernel_poly_degree=3,
        kid_kernel_poly_gamma=None,  # 1 / D
        kid_kernel_poly_coef0=1,
        rng_seed=seed,
        verbose=False,
    )
    return found[KEY_METRIC_KID_MEAN], found[KEY_METRIC_KID_STD]


def kernel_influence(rows: Tensor, features: Tensor, reference: Tensor) -> Tensor:
    """How much each of some of n vectors adds to the squared MMD of all from a reference: (r,) in float32.

    2 (mean_j k(x_i, x_j) - mean_j k(x_i, y_j)) over the other vectors x_j, and those of the reference y_j: the first
    order of the U-statistic (Gretton et al. 2012, section 5.1), whose mean has the standard error of the estimate.
    Where both distributions are the same it vanishes, and the error that it gives is too small. In float32, which is
    half the work: it is rounding of means that counts here, not of differences between them.

    Args:
        rows: (r, D), out of the features.
        features: (n, D), n at least 2.
        reference: (m, D).
    """
    rows, x, y = rows.float(), features.float(), reference.float()
    own = (rows.square().mean(1) + 1).pow(3)
    within = (_kernel(rows, x).sum(1) - own) / (len(x) - 1)
    return 2 * (within - _kernel(rows, y).mean(1))


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.T / a.shape[1] + 1).pow(3)
