"""The labels of what a mode shows, of a conditional model."""

from itertools import cycle, islice
from typing import Any

import torch
from torch import Generator, Tensor

from genlab.conditioning import condition_of, drawn_labels
from genlab.protocols import LoadedRun

Label = str | dict[str, float] | None  # as it is typed: a class by number or name, or values by name


def labels(run: LoadedRun, label: Label, n: int, generator: Generator) -> Tensor | None:
    """n labels of the kind that is typed, or drawn as often as training images have them; None without a condition."""
    return drawn_labels(run.model, n, generator) if label is None else _asked(run, label, n, generator)


def one_label(run: LoadedRun, label: Label, generator: Generator) -> tuple[Tensor | None, str]:
    """One label (1,) or (1, entries), typed or drawn, and what a title says of it."""
    y = labels(run, label, 1, generator)
    said = "" if y is None else run.model.condition.said(y[0])
    return y, f", label {said}" if said else ""


def labels_in_turn(run: LoadedRun, label: Label, n: int, generator: Generator) -> Tensor | None:
    """n labels of the kind that is typed, or those that show what labels do, in turn; None without a condition."""
    condition = condition_of(run.model)
    if condition is None or label is not None:
        return labels(run, label, n, generator)
    return torch.cat(
        [condition.ask(example, 1, generator) for example in islice(cycle(condition.examples().values()), n)]
    )


def labels_of_images(run: LoadedRun, split: str, rows: Tensor, label: Label = None) -> Tensor | None:
    """The labels of images of a split by their row numbers (n,), or one that is typed; None without a condition."""
    if condition_of(run.model) is None or label is not None:
        return None if label is None else _asked(run, label, len(rows), Generator().manual_seed(0))
    return run.datamodule.labels(split)[rows].to(run.model.device)


def labels_of_strangers(run: LoadedRun, n: int, label: Label = None) -> Tensor | None:
    """Labels of n images that are not of the data set: one that is typed, or none."""
    if condition_of(run.model) is None:
        return None
    return run.model.condition.ask("none" if label is None else label, n).to(run.model.device)


def array(y: Tensor | None) -> dict[str, Any]:
    """What an `.npz` holds of labels."""
    return {} if y is None else {"labels": y.cpu()}


def _asked(run: LoadedRun, label: Label, n: int, generator: Generator) -> Tensor:
    return run.model.condition.ask(label, n, generator)
