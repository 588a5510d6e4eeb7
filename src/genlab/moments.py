"""The mean and covariance of vectors that arrive in batches."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from genlab.distributed import gathered

ENOUGH = 1000  # values that tell the deviation of more of them, a Gaussian's to some 2%


class Moments:
    """Mean (D,) and scatter (D, D) of a stream of vectors, in one pass and without keeping them.

    With `is_diagonal` the scatter is its diagonal alone, (D,), and so is the covariance.

    Batches are merged with the update of Chan, Golub and LeVeque (1979), which stays exact where a difference of
    sums of squares would cancel.
    """

    def __init__(
        self, dim: int, dtype: torch.dtype = torch.float32, device: Any = "cpu", is_diagonal: bool = False
    ) -> None:
        self.n, self.is_diagonal = 0, is_diagonal
        self.mean = torch.zeros(dim, dtype=dtype, device=device)
        self.scatter = torch.zeros([dim] if is_diagonal else [dim, dim], dtype=dtype, device=device)

    @property
    def cov(self) -> Tensor:
        """The unbiased covariance (D, D), or variances (D,); needs two vectors or more."""
        return self.scatter / (self.n - 1)

    @property
    def error(self) -> float:
        """The standard error of the mean of numbers, D = 1, of which there are two or more."""
        return (self.cov.item() / self.n) ** 0.5

    def update(self, x: Tensor) -> None:
        """Add the vectors x (B, D)."""
        x = x.detach().to(self.mean)
        mean = x.mean(0)
        centred = x - mean
        self.merge(len(x), mean, centred.square().sum(0) if self.is_diagonal else centred.T @ centred)

    def merge(self, n: int, mean: Tensor, scatter: Tensor) -> None:
        """Add n vectors of this mean (D,) and scatter."""
        if n == 0:
            return
        total = self.n + n
        delta = mean - self.mean
        squared = delta.square() if self.is_diagonal else torch.outer(delta, delta)
        self.scatter += scatter + squared * (self.n * n / total)
        self.mean += delta * (n / total)
        self.n = total

    def state_dict(self) -> dict[str, Any]:
        """A number and two tensors on the CPU."""
        return {"n": self.n, "mean": self.mean.cpu(), "scatter": self.scatter.cpu()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.n = state_dict["n"]
        self.mean.copy_(state_dict["mean"])
        self.scatter.copy_(state_dict["scatter"])

    def gathered(self) -> Moments:
        """Return the moments over all processes, the same on each of them; itself in a single process."""
        parts = gathered((self.n, self.mean.cpu(), self.scatter.cpu()))
        if len(parts) == 1:
            return self
        total = Moments(len(self.mean), self.mean.dtype, self.mean.device, self.is_diagonal)
        for n, mean, scatter in parts:
            total.merge(n, mean.to(total.mean), scatter.to(total.scatter))
        return total


def symmetric_root(cov: Tensor) -> Tensor:
    """The symmetric S^(1/2) of a covariance S (D, D), which is unique; eigenvalues below 0 by rounding count as 0."""
    eigenvalues, vectors = torch.linalg.eigh(cov)
    return (vectors * eigenvalues.clamp(min=0).sqrt()) @ vectors.T


def some_of(vectors: Tensor, n: int = ENOUGH) -> Tensor:
    """At most n of the vectors (N, ...), from all over them."""
    return vectors[torch.arange(n) * len(vectors) // n] if n < len(vectors) else vectors


def standard_error(values: Tensor, n: int | None = None) -> float:
    """That of the mean of n independent values, of which some are given, at least 2: one a sample, or what each adds in
    first order.
    """
    return (values.double().std() / (len(values) if n is None else n) ** 0.5).item()
