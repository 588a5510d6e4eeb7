"""Whether samples vary as images do, pixel by pixel: cheap signs of a collapse, on a few dozen images."""

import torch
from torch import Tensor


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
