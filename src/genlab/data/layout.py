"""What the folders of a tree of images mean: splits, classes, or numbered parts."""

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain, takewhile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from genlab.errors import UsageError, listed

Way = tuple[str, ...]  # the folders that lead to an image

SPLIT = re.compile(  # train, also train2017, Test_set, images-train, valA
    r"(?:(?:images?|imgs?|data)[ _-]*)?"
    r"(?:(?P<train>training|train)|(?P<val>validation|valid|val|dev|evaluation|eval)|(?P<test>testing|test|holdout))"
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
    first folder on the way to an image is its class, unless all of them are numbered parts. `names` are paths from the
    root, with "/".

    Raises:
        UsageError: if there are splits and images beside them, or splits in several folders.
    """
    ways: list[Way] = [PurePosixPath(name).parts[:-1] for name in names]
    ways, common = _without_common(ways)
    root = root.joinpath(*common)
    _check_depth(ways, root)
    folders = _split_folders(ways, names, root)
    splits: list[str | None] = [None] * len(ways)
    if folders:
        splits, ways = [_split(way[0]) for way in ways], [way[1:] for way in ways]
    classes, parts = _classes(ways)
    return Layout(splits, classes, folders, parts)


def _check_depth(ways: list[Way], root: Path) -> None:
    """Raise a UsageError if splits lie deeper than where they are looked for, as in dogs/train and cats/train."""
    below: dict[Way, set[str | None]] = defaultdict(set)
    for way in set(ways):
        for depth in range(1, len(way)):
            below[way[:depth]].add(_split(way[depth]))
    for home in sorted(below):
        if "train" in below[home] and len(below[home] - {None}) > 1:
            here = root.joinpath(*home)
            raise UsageError(
                f"{here} holds splits, and there are images outside of it: type data.root={here} to take these alone, "
                "or put all images into folders train, val and test at the top."
            )


def _split_folders(ways: list[Way], names: Sequence[str], root: Path) -> dict[str, str]:
    """The folders at the top that are splits, by the split; nothing if none are."""
    found: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    others = []
    for top in dict.fromkeys(way[0] for way in ways if way):
        if split := _split(top):
            found[split].append(top)
        else:
            others.append(f"the folder {top}")
    images = [name for name, way in zip(names, ways, strict=True) if not way]
    found = {split: folders for split, folders in found.items() if folders}
    if "train" not in found or (len(found) == 1 and (others or not images)):
        return {}  # a class may be called test, and one of vehicles train
    if others + images:
        raise UsageError(
            f"{root} holds {listed([*chain(*found.values())])}, and beside them {listed(others + images, 3)}: put that "
            "into one of them or somewhere else, so that nothing is trained on that should not be (or rename them, if "
            "they are classes)."
        )
    for several in found.values():
        if len(several) > 1:
            raise UsageError(f"{root} holds {listed(several)}, which mean the same: make one folder of them.")
    return {split: folders[0] for split, folders in found.items()}


def _classes(ways: list[Way]) -> tuple[list[str | None], list[str]]:
    """The class of each image, and the numbered parts that were passed over."""
    parts: list[str] = []
    while True:
        ways, _ = _without_common(ways)
        folders = sorted({way[0] for way in ways if way})
        if not _are_parts(folders):
            return [way[0] if way else None for way in ways], parts
        parts, ways = folders, [way[1:] for way in ways]


def _are_parts(folders: list[str]) -> bool:
    """Whether folders are called as tools call them that divide many files: 00000, 00001. (0, 1, 2 are classes.)"""
    are_numbers = all(PART.fullmatch(folder) for folder in folders)
    return are_numbers and len({len(folder) for folder in folders}) == 1 and folders[0].startswith("0")


def _without_common(ways: list[Way]) -> tuple[list[Way], Way]:
    """Leave out the folders that lead to all images, and return them too."""
    pairs = zip(min(ways), max(ways), strict=False)
    common = tuple(first for first, last in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return [way[len(common) :] for way in ways], common


def _split(folder: str) -> str | None:
    found = SPLIT.fullmatch(folder)
    return found.lastgroup if found else None
