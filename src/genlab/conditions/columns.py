"""Several labels an image: attributes, or numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from genlab.bounds import PositiveInt
from genlab.conditions.condition import NONE, Asked, Condition, entries_of, labels_of, refusal
from genlab.data.decode import UNLABELLED
from genlab.errors import UsageError, unknown

TABLE = 2048  # training labels that are kept


class Columns(Condition):
    """Several labels an image, of which some are told: a table with a row for each image.

    Args:
        names: of all labels of the data, in their order; None where they are not known yet.
        of: the names of those that the model is told; None for all that fit.
        width: see `Condition`.
    """

    table: Tensor
    columns: Tensor

    def __init__(
        self, names: list[str] | None = None, of: list[str] | None = None, width: PositiveInt | None = None
    ) -> None:
        super().__init__(names if names is not None else of, width)
        self.is_known = names is not None
        self.of = list(of or self.names)
        self.entries = (len(self.names),)
        places = [_place(self.names, name, "model.condition.of") for name in self.of]
        self.register_buffer("columns", torch.tensor(places), persistent=False)
        self.register_buffer("table", torch.full((TABLE, len(self.names)), float(UNLABELLED)))

    @classmethod
    def learn(cls, data: Any, of: Sequence[str] | None = None) -> dict[str, Any]:
        y = labels_of(data, cls.typed)
        entries = entries_of(data, y)
        fitting = [entry.name for entry in entries if entry.typed == cls.typed]
        if y.ndim != 2 or not fitting:
            raise refusal(cls.typed, data, y)
        if strange := [name for name in of or () if name not in fitting]:
            raise UsageError(unknown("label for model.condition.of", strange[0], fitting))
        return {"names": [entry.name for entry in entries], "of": list(of or fitting)}

    def _fit(self, y: Tensor) -> None:
        self.table.copy_(y[torch.arange(TABLE) * len(y) // TABLE])

    @property
    def known_labels(self) -> Tensor:
        return self.table

    def draw(self, n: int, generator: Generator | None = None) -> Tensor:
        return self.table[torch.randint(len(self.table), (n,), generator=generator).to(self.table.device)]

    def ask(self, label: Asked, n: int, generator: Generator | None = None, key: str = "mode.label") -> Tensor:
        """n rows that have what is typed, drawn among those of training images that have it too, if there are any."""
        if str(label) in (NONE, str(UNLABELLED)):
            return self.nothing(n).to(self.table)
        if not isinstance(label, Mapping):
            raise UsageError(
                f"{key}={label} is not possible: labels are typed as '{key}={{{self.of[0]}: 1}}', or {NONE}."
            )
        wanted = {_place(self.names, name, key, self.of): float(value) for name, value in label.items()}
        fits = torch.stack([self._near(self.table[:, k], value) for k, value in wanted.items()]).all(0)
        rows = self.table[fits] if fits.any() else self.table
        drawn = rows[torch.randint(len(rows), (n,), generator=generator).to(rows.device)]
        for k, value in wanted.items():
            drawn[:, k] = value
        return drawn

    def put(self, label: Asked, y: Tensor) -> Tensor:
        asked, entries = self.ask(label, len(y), Generator()), [self.names.index(name) for name in label]
        put = y.clone()
        put[:, entries] = asked[:, entries].to(put)
        return put

    def _near(self, values: Tensor, value: float) -> Tensor:
        return torch.eq(values, value)


class Attributes(Columns):
    """Attributes that an image has or lacks: labels (B, entries) of 1 and 0, and -1 where that is not known."""

    typed = "attributes"

    def __init__(
        self, names: list[str] | None = None, of: list[str] | None = None, width: PositiveInt | None = None
    ) -> None:
        super().__init__(names, of, width)
        self.dim = len(self.of)
        self.n_choices, self.groups = [2] * self.dim, self.of

    def answers(self, y: Tensor) -> Tensor:
        return y[:, self.columns.to(y.device)].long()

    def has(self, y: Tensor, group: str) -> Tensor:
        return torch.eq(y[:, self.names.index(group)], 1)

    def vectors(self, y: Tensor) -> Tensor:
        told = y[:, self.columns]
        return (torch.eq(told, 1).float() - torch.eq(told, 0).float()) / self.dim**0.5

    def ask(self, label: Asked, n: int, generator: Generator | None = None, key: str = "mode.label") -> Tensor:
        typed = {label: 1.0} if isinstance(label, str) and label in self.of else label
        values = list(typed.values()) if isinstance(typed, Mapping) else []
        if strange := [value for value in values if value not in (0, 1, UNLABELLED)]:
            raise UsageError(f"{key} asks for an attribute of {strange[0]:g}: it is 1, 0, or -1 where it is left open.")
        return super().ask(typed, n, generator, key)

    def examples(self) -> dict[str, Asked]:
        """Each attribute, absent and present."""
        return {f"{name}: {value}": {name: value} for name in self.of for value in (0, 1)}


class Values(Columns):
    """Numbers that belong to an image, standardised: labels (B, entries); a row of -1 is no label."""

    typed = "value"
    mean: Tensor
    std: Tensor

    def __init__(
        self, names: list[str] | None = None, of: list[str] | None = None, width: PositiveInt | None = None
    ) -> None:
        super().__init__(names, of, width)
        self.dim = len(self.of) + 1  # the numbers, and that they are known
        self.register_buffer("mean", torch.zeros(len(self.of)))
        self.register_buffer("std", torch.ones(len(self.of)))

    def _fit(self, y: Tensor) -> None:
        super()._fit(y)
        told = y[:, self.columns.to(y.device)].double()
        known = told[~torch.all(told == UNLABELLED, 1)]
        self.mean.copy_(known.mean(0))
        self.std.copy_(known.std(0, correction=0).clamp_min(1e-6))

    def vectors(self, y: Tensor) -> Tensor:
        told = y[:, self.columns].float()
        is_known = (~torch.all(told == UNLABELLED, 1))[:, None].float()
        numbers = torch.cat([(told - self.mean) / self.std, torch.ones_like(is_known)], 1)
        return numbers * is_known / self.dim**0.5

    def _near(self, values: Tensor, value: float) -> Tensor:
        return torch.ones_like(values, dtype=torch.bool)  # numbers are drawn apart from each other

    def examples(self) -> dict[str, Asked]:
        """Each number where a tenth of the training images have less, and where a tenth have more."""
        told = self.table[:, self.columns].cpu()
        ends = {low: told.quantile(low, 0).tolist() for low in (0.1, 0.9)}
        return {f"{name}: {end[k]:.2g}": {name: end[k]} for k, name in enumerate(self.of) for end in ends.values()}


def _place(names: Sequence[str], name: str, key: str, valid: Sequence[str] | None = None) -> int:
    if name not in (names if valid is None else valid):
        raise UsageError(unknown(f"label for {key}", name, list(names if valid is None else valid)))
    return list(names).index(name)
