"""What the folders of a tree of images mean: splits, classes, or numbered parts."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from genlab.errors import UsageError, listed

Way = tuple[str, ...]  # the folders that lead to an image

MEANING = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "eval": "val",
    "evaluation": "val",
    "test": "test",
    "testing": "test",
    "holdout": "test",
}
SPLIT = re.compile(  # also train2017, Test_set, images-train, valA
    rf"(?:(?:images?|imgs?|data)[ _-]*)?({'|'.join(sorted(MEANING, key=len, reverse=True))})"
    r"[ _-]*(?:set|split|images?|imgs?|data|[a-z]|\d+)?",
    re.IGNORECASE,
)
PART = re.compile(r"\d{3,}")


class Layout(NamedTuple):
    """What the folders say of each image.

    Attributes:
        splits: `train`, `val` or `test`; None for all where no folders are splits.
        classes: the name of its class, or None.
        folders: those that are splits, by the split.
        parts: those that have numbers and no meaning.
    """

    splits: list[str | None]
    classes: list[str | None]
    folders: dict[str, str]
    parts: list[str]


def read_layout(names: Sequence[str], root: Path) -> Layout:
    """Find out what the folders above images are.

    A folder that holds all images means nothing. Below it, folders named after splits are the splits; below them, the
    first folder on the way to an image is its class, unless all of them are numbered parts.

    Args:
        names: paths of images from the root, with "/".
        root: what was looked into, for messages.

    Raises:
        UsageError: if there are splits, and images beside them or nothing that trains.
    """
    ways: list[Way] = [PurePosixPath(name).parts[:-1] for name in names]
    common = _common(ways)
    ways = _without(ways, len(common))
    _check_depth(ways, names, root, common)
    folders = _split_folders(ways, names, root / "/".join(common))
    splits: list[str | None] = [None] * len(ways)
    if folders:
        meaning = {folder: split for split, folder in folders.items()}
        splits, ways = [meaning[way[0]] for way in ways], _without(ways, 1)
    classes, parts = _classes(ways)
    return Layout(splits, classes, folders, parts)


def _check_depth(ways: list[Way], names: Sequence[str], root: Path, common: Way) -> None:
    """Raise a UsageError if splits lie deeper than where they are looked for."""
    inside: dict[Way, dict[str, None]] = defaultdict(dict)
    for way in dict.fromkeys(ways):
        for depth in range(1, len(way)):
            inside[way[:depth]][way[depth]] = None
    for home, folders in inside.items():
        found = _by_split(folders)
        if "train" in found and len(found) > 1:
            here = root / "/".join((*common, *home))
            other = next(name for name, way in zip(names, ways, strict=True) if way[: len(home)] != home)
            raise UsageError(
                f"{here} holds {_names(found)}, and there are images outside of it, such as {other}: type "
                f"data.root={here} to take these alone, or put all images into folders train, val and test at the top."
            )


def _split_folders(ways: list[Way], names: Sequence[str], root: Path) -> dict[str, str]:
    """The folders at the top that are splits, by the split; nothing if none are."""
    tops = dict.fromkeys(way[0] for way in ways if way)
    found, others = _by_split(tops), [f"the folder {top}" for top in tops if not _split(top)]
    images = [name for name, way in zip(names, ways, strict=True) if not way]
    if "train" not in found:
        if len(found) > 1 and not others + images:
            raise UsageError(f"{root} holds {_names(found)} and no folder train: name what is to train like that.")
        return {}  # a class may be called test
    if len(found) == 1 and (others or not images):
        return {}  # and one of vehicles train
    if others + images:
        raise UsageError(
            f"{root} holds {_names(found)}, and beside them {listed(others + images, 3)}: put that into one of them or "
            "somewhere else, so that nothing is trained on that should not be (or rename them, if they are classes)."
        )
    for several in found.values():
        if len(several) > 1:
            raise UsageError(f"{root} holds {listed(several)}, which mean the same: make one folder of them.")
    return {split: folders[0] for split, folders in found.items()}


def _classes(ways: list[Way]) -> tuple[list[str | None], list[str]]:
    """The class of each image, and the numbered parts that were passed over."""
    parts: list[str] = []
    while True:
        ways = _without(ways, len(_common(ways)))
        folders = sorted({way[0] for way in ways if way})
        if not _are_parts(folders):
            return [way[0] if way else None for way in ways], parts
        parts, ways = folders, _without(ways, 1)


def _are_parts(folders: list[str]) -> bool:
    """Whether folders are called as tools call them that divide many files: 00000, 00001. (0, 1, 2 are classes.)"""
    are_numbers = all(PART.fullmatch(folder) for folder in folders)
    return are_numbers and len({len(folder) for folder in folders}) == 1 and folders[0].startswith("0")


def _common(ways: list[Way]) -> Way:
    """The folders that lead to all images."""
    first, last = min(ways), max(ways)
    return tuple(folder for folder, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))


def _without(ways: list[Way], depth: int) -> list[Way]:
    return [way[depth:] for way in ways]


def _split(folder: str) -> str | None:
    found = SPLIT.fullmatch(folder)
    return MEANING[found[1].lower()] if found else None


def _by_split(folders: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for folder in folders:
        if split := _split(folder):
            found[split].append(folder)
    return {split: several for split, several in found.items() if several}


def _names(found: dict[str, list[str]]) -> str:
    return listed([folder for folders in found.values() for folder in folders])
