"""What the labels of images say: classes by their names, attributes that images have or lack, factors."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from genlab.data.decode import UNLABELLED

ATTRIBUTE = {0: "no", 1: "yes"}  # the classes of an entry of label vectors that is 0 or 1
MOST_CLASSES = 1000  # more different whole numbers of a data set count something


class LabelColumn(NamedTuple):
    """One entry of the labels of all images of a split.

    Attributes:
        name: `label` where an image has one.
        values: (N,), -1 for those of no class.
        classes: what the values stand for, those that there are; nothing for the values of a factor.
    """

    name: str
    values: Tensor
    classes: Mapping[int, str]


class Group(NamedTuple):
    """The images that a label is true of, and those that it is not true of: two masks (N,)."""

    inside: Tensor
    outside: Tensor


def label_columns(data: Any, split: str) -> list[LabelColumn]:
    """The labels of a split of an `ImageDataModule`, entry by entry; nothing if no image has any."""
    labels = data.labels(split)
    names, of_entries = getattr(data.source, "label_names", ()), getattr(data.source, "class_names", {})
    if labels.ndim == 1:
        found = [LabelColumn("label", labels, _named(labels, names))]
    else:
        names = [*names, *(f"label {entry}" for entry in range(len(names), labels.shape[1]))]
        found = [_entry(name, values, of_entries.get(name)) for name, values in zip(names, labels.T, strict=True)]
    return [column for column in found if not torch.all(column.values == UNLABELLED)]


def label_groups(columns: Sequence[LabelColumn]) -> dict[str, Group]:
    """The images of each class, with each attribute, and with more of each factor than half of them, by its name."""
    groups = {}
    for name, values, classes in columns:
        if classes == ATTRIBUTE:
            groups[name] = Group(values == 1, values == 0)
        elif classes:
            is_known = values != UNLABELLED
            groups |= {text: Group(values == number, is_known & (values != number)) for number, text in classes.items()}
        else:
            groups[name] = Group(values > values.median(), values <= values.median())
    return groups


def _entry(name: str, values: Tensor, names: Sequence[str] | None) -> LabelColumn:
    is_attribute = set(values.unique().tolist()) <= {UNLABELLED, 0, 1}
    return LabelColumn(name, values, _named(values, names) if names else ATTRIBUTE if is_attribute else {})


def _named(values: Tensor, names: Sequence[str]) -> dict[int, str]:
    """Classes by their numbers; those without a name are called by these."""
    numbers = [int(number) for number in values.unique().tolist() if number != UNLABELLED]
    if len(numbers) > MOST_CLASSES:
        return {}
    return {number: names[number] if 0 <= number < len(names) else str(number) for number in numbers}
