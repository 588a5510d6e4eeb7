"""The Inception score: whether a classifier is sure of each sample and finds all classes among them."""

from torch import Tensor


def inception_score(logits: Tensor, n_splits: int = 10, seed: int = 2020) -> tuple[float, float]:
    """exp of the mean KL(p(y | x) || p(y)) in nats, over splits of the samples (Salimans et al. 2016, section 4).

    p(y) is the mean over a split, so that the score grows with its size: compare values of equal n and n_splits only.
    It knows no reference and says nothing about images of other classes than the classifier's. Computed by
    torch-fidelity, in float64.

    Args:
        logits: (n, n_classes), for Inception v3 n_classes = 1,008.
        n_splits: number of splits, at least 1 and at most n.
        seed: of the shuffle before the split; torch-fidelity's by default. The global generators stay as they are.

    Returns:
        Mean and standard deviation over splits, the mean from 1 (all alike) to n_classes.

    Raises:
        ValueError: if there are more splits than samples, or none.
    """
    if not 1 <= n_splits <= len(logits):
        raise ValueError(f"{len(logits)} samples can't be split into {n_splits} parts.")
    from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, KEY_METRIC_ISC_STD, isc_features_to_metric

    found = isc_features_to_metric(logits, splits=n_splits, shuffle=True, rng_seed=seed)
    return found[KEY_METRIC_ISC_MEAN], found[KEY_METRIC_ISC_STD]
