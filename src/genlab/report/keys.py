"""Which keys of the configuration a sweep varies: those by which its cells are told apart."""

from collections.abc import Sequence
from typing import Any

from genlab.report.cell import Cell, shown

MODEL, DATA, LATENT, SEED = "model._target_", "data.name", "model.latent_dim", "seed"
FIRST = (MODEL, DATA, LATENT)
NOT_SWEPT = ("paths.", "resume", "sweep", "retry_failed", "preflight", "logger.", "tags", "hydra.")
ABSENT = "–"  # the value of a key that a cell's configuration does not have


def differing(cells: Sequence[Cell]) -> list[str]:
    """All keys in which the configurations differ, without those that say where files lie and who is told."""
    keys = dict.fromkeys(key for cell in cells for key in cell.config)
    return [key for key in keys if not key.startswith(NOT_SWEPT) and len(set(_values(cells, key))) > 1]


def swept(cells: Sequence[Cell]) -> list[str]:
    """The differing keys that say something of their own.

    Left out are copies of another key, and what follows from the choice of a class or a data set (another model has
    other networks, another data set other images), unless it was typed.
    """
    cells = [cell for cell in cells if cell.config]
    found = differing(cells)
    typed = {override.partition("=")[0].lstrip("+~") for cell in cells for override in cell.overrides}
    chosen = [SEED] if SEED in found else []
    for key in sorted(found, key=lambda key: (_rank(key, typed), found.index(key))):
        values = _values(cells, key)
        if key not in (*FIRST, SEED, *typed):
            choices = [other for other in chosen if other.endswith("_target_") or other == DATA]
            joint = list(zip(*(_values(cells, other) for other in choices), strict=True)) or [()] * len(cells)
            copies = [other for other in chosen if _values(cells, other) == values]
            if copies or _determines(joint, values):
                continue
        chosen.append(key)
    return sorted(dict.fromkeys(chosen), key=lambda key: key == SEED)


def labels(keys: Sequence[str]) -> dict[str, str]:
    """Short names of keys: as few of their last parts as tell them apart."""
    parts = {key: key.removesuffix("._target_").removesuffix(".name").split(".") for key in keys}
    names = {}
    for key, own in parts.items():
        others = [other for name, other in parts.items() if name != key]
        n = next((n for n in range(1, len(own)) if all(own[-n:] != other[-n:] for other in others)), len(own))
        names[key] = ".".join(own[-n:])
    return names


def is_seed(key: str) -> bool:
    """Whether a key is a seed, over which results are averaged."""
    return key.rpartition(".")[2] == SEED


def value(cell: Cell, key: str) -> Any:
    """What a cell's configuration says of a key, as a person reads it."""
    found = cell.config.get(key, ABSENT)
    return shown(key, "none" if found is None else found)


def _values(cells: Sequence[Cell], key: str) -> list[str]:
    return [str(cell.config.get(key, ABSENT)) for cell in cells]


def _rank(key: str, typed: set[str]) -> tuple[int, bool, int]:
    """Model, data set and latent dimension first, then what was typed, then choices before numbers."""
    if key in FIRST:
        return FIRST.index(key), False, 0
    return (3 if key in typed else 4), not key.endswith("_target_"), key.count(".")


def _determines(choices: Sequence[Any], values: Sequence[str]) -> bool:
    """Whether cells of equal choices have equal values."""
    return len(set(zip(choices, values, strict=True))) == len(set(choices))
