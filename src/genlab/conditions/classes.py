"""One class an image."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from genlab.bounds import PositiveInt
from genlab.conditions.condition import NONE, Asked, Condition, labels_of, refusal
from genlab.data.decode import UNLABELLED
from genlab.data.labels import MOST_CLASSES
from genlab.errors import UsageError, unknown


class Classes(Condition):
    """One class an image: labels (B,) from 0 on.

    Args:
        names: of all classes; None where they are not known yet.
        width: see `Condition`.
    """

    typed = "class"
    entries = ()
    shares: Tensor

    def __init__(self, names: list[str] | None = None, width: PositiveInt | None = None) -> None:
        super().__init__(names, width)
        self.dim = len(self.names)
        self.n_choices, self.groups = [self.dim], self.names
        shares = torch.ones(self.dim + 1)
        shares[-1] = 0
        self.register_buffer("shares", shares)  # of the training images; the last one of those without a class

    @classmethod
    def learn(cls, data: Any, of: Sequence[str] | None = None) -> dict[str, Any]:
        y = labels_of(data, cls.typed)
        n = int(y.max()) + 1 if y.ndim == 1 else 0
        if y.ndim != 1 or y.is_floating_point() or n > MOST_CLASSES:
            raise refusal(cls.typed, data, y)
        known = getattr(data.source, "label_names", ())
        return {"names": [*map(str, known), *map(str, range(len(known), n))]}

    def _fit(self, y: Tensor) -> None:
        counts = torch.bincount(torch.where(y >= 0, y, self.dim).cpu(), minlength=self.dim + 1)
        self.shares.copy_(counts / len(y))

    @property
    def known_labels(self) -> Tensor:
        return self.shares

    def vectors(self, y: Tensor) -> Tensor:
        return torch.eq(y[:, None], torch.arange(self.dim, device=y.device)).float()

    def draw(self, n: int, generator: Generator | None = None) -> Tensor:
        y = torch.multinomial(self.shares.cpu(), n, replacement=True, generator=generator)
        return torch.where(y < self.dim, y, UNLABELLED).to(self.shares.device)

    def ask(self, label: Asked, n: int, generator: Generator | None = None, key: str = "mode.label") -> Tensor:
        numbers = {NONE: UNLABELLED, str(UNLABELLED): UNLABELLED} | {str(k): k for k in range(self.dim)}
        numbers |= {name: number for number, name in enumerate(self.names)}
        if str(label) not in numbers:
            raise UsageError(unknown(f"class for {key}", str(label), [*self.names, NONE]))
        return torch.full((n,), numbers[str(label)], device=self.shares.device)

    def examples(self) -> dict[str, Asked]:
        """The classes that training images have."""
        return {name: str(k) for k, name in enumerate(self.names) if self.shares[k] > 0}

    def has(self, y: Tensor, group: str) -> Tensor:
        return torch.eq(y, self.names.index(group))

    def said(self, y: Tensor) -> str:
        return self.names[int(y)] if y >= 0 else NONE
