"""What all conditions share, and what the labels of a data set are.

Labels `y` are those of the data set, (B,) or (B, entries), and -1 stands for none. A condition makes vectors of them,
which networks take, and knows those of the training images, which its buffers keep with the weights.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Generator, Tensor, nn

from genlab.bounds import PositiveInt
from genlab.data.decode import UNLABELLED
from genlab.devices import send
from genlab.errors import UsageError

NONE = "none"  # how no label is typed

Asked = str | Mapping[str, float]  # a label, as it is typed


class Condition(nn.Module, ABC):
    """What models and those who draw samples ask of labels.

    Args:
        names: what the labels of the data are called; None where that is not known yet, see `learn`.
        width: of the embedding of a label beside a code; None for none, see `Beside`.

    Attributes:
        dim: length of a label's vector.
        n_choices: possible answers to each question that a label is the answer to; nothing for numbers.
        groups: names of what images have in common by their labels.
        entries: shape of one label, () or (entries,).
    """

    typed: ClassVar[str]  # as in model/condition=class
    dim: int
    entries: tuple[int, ...]
    n_choices: Sequence[int] = ()
    groups: Sequence[str] = ()

    def __init__(self, names: Sequence[str] | None, width: PositiveInt | None) -> None:
        super().__init__()
        self.is_known = names is not None
        self.names, self.width = list(names or ["?"]), width

    @classmethod
    @abstractmethod
    def learn(cls, data: Any, of: Sequence[str] | None = None) -> dict[str, Any]:
        """What the data, an `ImageDataModule`, say of the arguments of the class, given which labels it is to take.

        Raises:
            UsageError: if they have no such labels.
        """

    def fit(self, y: Tensor) -> None:
        """Take note of the labels (N,) or (N, entries) of the training images.

        Raises:
            UsageError: if it does not know what they are called.
        """
        if not self.is_known or y.shape[1:] != self.entries:
            raise UsageError("model.condition does not know the labels of these data: leave model.condition.names out.")
        self._fit(y)

    @abstractmethod
    def _fit(self, y: Tensor) -> None: ...

    @abstractmethod
    def vectors(self, y: Tensor) -> Tensor:
        """Map labels (B,) or (B, entries) to float32 vectors (B, dim) of a length of about 1, zero for no label."""

    @abstractmethod
    def draw(self, n: int, generator: Generator | None = None) -> Tensor:
        """Draw n labels as often as they are those of training images, (n,) or (n, entries)."""

    @abstractmethod
    def ask(self, label: Asked, n: int, generator: Generator | None = None, key: str = "mode.label") -> Tensor:
        """n labels, (n,) or (n, entries), as they are typed; what is left open is drawn.

        Raises:
            UsageError: naming the `key`, if there is no such label.
        """

    def put(self, label: Asked, y: Tensor) -> Tensor:
        """Labels (n,) or (n, entries) with one that is typed in their place; of several entries what it says alone."""
        return self.ask(label, len(y))

    @abstractmethod
    def examples(self) -> dict[str, Asked]:
        """Labels that show what they do, by what they are called."""

    @property
    @abstractmethod
    def known_labels(self) -> Tensor:
        """What is known of the training labels: the shares of classes (K + 1,), or some rows (n, entries)."""

    def answers(self, y: Tensor) -> Tensor:
        """Labels as whole numbers (B, questions) from 0 on; -1 where there is none."""
        return y.reshape(len(y), -1)[:, : len(self.n_choices)].long()

    def has(self, y: Tensor, group: str) -> Tensor:
        """Which labels belong to one of the `groups`: a mask (B,)."""
        raise NotImplementedError

    def said(self, y: Tensor) -> str:
        """What one label is called, if it has a short name."""
        return ""

    def without(self, y: Tensor, rows: Tensor) -> Tensor:
        """Labels without those of some rows (B,), which are true."""
        return y.masked_fill(send(rows, y.device).reshape(-1, *[1] * (y.ndim - 1)), UNLABELLED)

    def nothing(self, n: int) -> Tensor:
        """n times no label."""
        return torch.full((n, *self.entries), UNLABELLED)


class Entry(NamedTuple):
    """One entry of the labels of a data set.

    Attributes:
        name: what it is called.
        typed: the condition that it is for, as in model/condition=class.
    """

    name: str
    typed: str


def labels_of(data: Any, typed: str) -> Tensor:
    """All labels of a data set, (N,) or (N, entries).

    Raises:
        UsageError: if no image has any.
    """
    y: Tensor = data.labels("train+val+test")
    if torch.all(y == UNLABELLED):
        raise UsageError(
            f"model/condition={typed} needs labels, and the images of {data.name} have none: type "
            "model/condition=none, or, for a folder, put the images of each class into a folder of its own."
        )
    return y


def entries_of(data: Any, y: Tensor) -> list[Entry]:
    """What the labels (N,) or (N, entries) of a data set consist of; nothing is said of an entry that no image has."""
    if y.ndim == 1:
        return [Entry("label", "value" if y.is_floating_point() else "class")]
    known, classes = list(map(str, getattr(data.source, "label_names", ()))), getattr(data.source, "class_names", {})
    names = [*known, *(f"label {k}" for k in range(len(known), y.shape[1]))]
    found = []
    for name, values in zip(names, y.T, strict=True):
        levels = set(values.unique()[:4].tolist()) - {UNLABELLED}
        is_attribute = {0, 1} >= levels != set()
        typed = "class" if name in classes else "attributes" if is_attribute else "value" if levels else ""
        found.append(Entry(name, typed))
    return found


def refusal(typed: str, data: Any, y: Tensor) -> UsageError:
    """Say which condition the labels of a data set are for, as one that was typed is not."""
    fitting = {entry.typed for entry in entries_of(data, y)} - {typed, *(["class"] if y.ndim == 2 else ["value"]), ""}
    remedy = f"type model/condition={min(fitting)}" if fitting else "type model/condition=none"
    what = "one number an image" if y.ndim == 1 else f"{y.shape[1]} entries an image"
    return UsageError(f"model/condition={typed} does not fit the labels of {data.name}, {what}: {remedy}.")
