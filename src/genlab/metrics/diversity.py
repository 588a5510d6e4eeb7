"""How varied samples are: by their features, by their classes, and pixel by pixel, as a cheap sign of a collapse."""

import torch
from torch import Tensor

from genlab.moments import Moments


def feature_diversity(samples: Moments, reference: Moments) -> float:
    """Divide the mean squared distance between two different samples by that between two reference images.

    In feature space, where the mean of |a - b|^2 over pairs of different vectors is twice the trace of the unbiased
    covariance, so one pass is enough. 1: as varied as the data; 0: all alike (a collapsed GAN); above 1: more varied.
    It compares the spread alone: samples that are all wrong can be as varied as the data.

    Args:
        samples: moments of features (n, D).
        reference: moments of features (m, D).

    Raises:
        ValueError: if a set has fewer than two vectors, or if those of the reference are all alike.
    """
    if min(samples.n, reference.n) < 2:
        raise ValueError(f"Diversity needs at least two vectors in each set, got {samples.n} and {reference.n}.")
    spread = reference.cov.double().trace().item()
    if spread <= 0:
        raise ValueError("The reference vectors are all alike: nothing can be compared with their diversity.")
    return samples.cov.double().trace().item() / spread


def class_shares(labels: Tensor, n_classes: int) -> Tensor:
    """Share of each class.

    Args:
        labels: integers (n,) in [0, n_classes).
        n_classes: at least 1.

    Returns:
        (n_classes,) in float64, with sum 1.

    Raises:
        ValueError: if there are no labels, or if some are of no class.
    """
    if len(labels) == 0 or labels.min() < 0 or labels.max() >= n_classes:
        raise ValueError(f"Expected one or more labels from 0 to {n_classes - 1}, got {labels.unique().tolist()}.")
    return torch.bincount(labels, minlength=n_classes).double() / len(labels)


def total_variation(p: Tensor, q: Tensor) -> float:
    """0.5 sum |p - q|: the share of images that would have to change their class to turn one into the other.

    Args:
        p: shares (n_classes,), with sum 1.
        q: the same.

    Returns:
        0 for equal shares, 1 where no class is in both.

    Raises:
        ValueError: if they have different numbers of classes.
    """
    if p.shape != q.shape:
        raise ValueError(f"Shares of {len(p)} classes can't be compared with shares of {len(q)}.")
    return 0.5 * (p.double() - q.double()).abs().sum().item()


def diversity(samples: Tensor, images: Tensor) -> Tensor:
    """Total variance of samples (N, ...) as a share of that of as many images (N, ...): a scalar, at least 0.

    Equally the ratio of mean squared distances between two of them. 1 like the data, 0 if all samples are one image;
    NaN if the images have no variance themselves.
    """
    return _total_variance(samples) / _total_variance(images)


def distinctness(samples: Tensor, images: Tensor) -> Tensor:
    """Median squared distance of a sample to the nearest other, as a share of that among as many images: a scalar.

    Samples and images are (N, ...). 1 like the data, 0 if samples are copies of a few images, which `diversity` does
    not notice: two images in turn have half of the data's variance. No number if most images are copies themselves.
    """
    return _to_the_nearest(samples) / _to_the_nearest(images)


def saturation(samples: Tensor, images: Tensor, end: float = 0.99) -> Tensor:
    """Share of sample pixels at an end of [-1, 1], beyond `end`, that is in excess of the data's at that end.

    Data may lie there itself (digits are mostly black), so each end is compared with its own share: a scalar in [0, 1],
    0 if samples of any shape (N, ...) have no more black and no more white than images (M, ...).
    """
    excess = [(sign * samples > end).float().mean() - (sign * images > end).float().mean() for sign in (-1, 1)]
    return torch.stack(excess).clamp(min=0).sum()


def _total_variance(images: Tensor) -> Tensor:
    return images.float().flatten(1).var(0, correction=0).sum()


def _to_the_nearest(images: Tensor) -> Tensor:
    rows = images.float().flatten(1)
    distances = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")  # exact for copies
    return distances.fill_diagonal_(torch.inf).amin(1).square().median()
