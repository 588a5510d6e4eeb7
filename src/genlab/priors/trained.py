"""Densities with networks."""

from abc import abstractmethod
from collections.abc import Iterator
from math import cos, pi
from typing import Any

import torch
from torch import Generator, Tensor

from genlab.bounds import PositiveFloat, PositiveInt
from genlab.priors.density import Density
from genlab.protocols import Samples


class Trained(Density):
    """A density whose networks are trained by maximum likelihood, with Adam and a rate that falls to 0 by a cosine.

    The order of codes in an epoch depends on the seed and the epoch alone, so that a fit which goes on is the same.

    Args:
        model: see `Density`.
        epochs: how often each code is seen.
        batch_size: codes of a step.
        lr: the learning rate at first.
    """

    mean: Tensor
    std: Tensor
    epoch: Tensor

    def __init__(self, model: Samples, epochs: PositiveInt, batch_size: PositiveInt, lr: PositiveFloat) -> None:
        super().__init__(model)
        self.epochs, self.batch_size, self.lr = epochs, batch_size, lr
        self.register_buffer("mean", torch.zeros(self.latent_shape))
        self.register_buffer("std", torch.ones(self.latent_shape))
        self.register_buffer("epoch", torch.tensor(0))  # that is next
        self._optimizer: dict[str, Any] = {}

    @abstractmethod
    def nll(self, codes: Tensor) -> Tensor:
        """-log p(z) of codes (B, *latent_shape), as the networks see them: (B,)."""

    def fit(self, codes: Tensor, seed: int) -> Iterator[float]:
        if self.epoch == 0:
            self.mean.copy_(codes.mean(0))
            self.std.copy_(codes.std(0).clamp_min(1e-6))
        optimizer = torch.optim.Adam(self.parameters(), lr=self.lr)
        if self._optimizer:
            optimizer.load_state_dict(self._optimizer)
        for epoch in range(int(self.epoch), self.epochs):
            order = torch.randperm(len(codes), generator=Generator().manual_seed(seed * 1_000_003 + epoch))
            optimizer.param_groups[0]["lr"] = 0.5 * self.lr * (1 + cos(pi * epoch / self.epochs))
            for rows in order.split(self.batch_size):
                optimizer.zero_grad()
                self.nll(codes[rows].to(self.mean)).mean().backward()
                torch.nn.utils.clip_grad_norm_(self.parameters(), 1.0)
                optimizer.step()
            self.epoch += 1
            self._optimizer = optimizer.state_dict()
            yield (epoch + 1) / self.epochs

    def training_state(self) -> dict[str, Any]:
        return {"optimizer": self._optimizer}

    def load_training_state(self, state: dict[str, Any]) -> None:
        self._optimizer = state.get("optimizer", {})

    def prior_moments(self) -> tuple[Tensor, Tensor]:
        """Those of the codes."""
        return self.mean, self.std
