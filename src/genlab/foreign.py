"""Reading files that may come from anybody: only regular files of their own folder, of a limited size, as plain data.

Imports nothing heavy.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from genlab.errors import UsageError

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster than Python's own

MOST_BYTES = 2**26  # of a file that is read whole
MOST_VALUES, DEEPEST = 20_000, 30  # of a configuration: references in YAML may unfold to any number
LONGEST, LARGEST_WHOLE = 100_000, 2**64  # characters of a text, and a whole number, of a configuration
LARGEST = 1e300  # differences and squares of a number stay finite
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


class Unreadable(Exception):
    """A file that is missing or damaged, and why."""


def own_file(folder: Path, name: str) -> Path | None:
    """A regular file of a folder; None if it is not there.

    Raises:
        Unreadable: if it is something else (a pipe has no end), or a link that leads out of the folder: a page that is
            sent to others must not hold a file that whoever made the folder could not read.
    """
    path = folder / name
    if not path.exists():
        return None
    if not path.is_file():
        raise Unreadable(f"{name} is no regular file")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise Unreadable(f"{name} is a link that leads out of the folder")
    return path


def read_text(folder: Path, name: str) -> str | None:
    """The text of a regular file of a folder; None if it is not there.

    Raises:
        Unreadable: see `own_file`; also if it can't be read, or is too large.
    """
    try:
        path = own_file(folder, name)
        if path and (size := path.stat().st_size) > MOST_BYTES:
            raise Unreadable(f"{name} has {size / 1e6:,.0f} MB and is left out")
        return path.read_text(encoding="utf-8") if path else None
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise Unreadable(f"{name} can't be read: {error}") from error


def read_mapping(
    folder: Path, name: str, parse: Callable[[str], Any], as_text: Callable[[str], str] = str
) -> dict[str, Any]:
    """A file that holds a mapping, as plain containers.

    Args:
        folder, name: where it is.
        parse: from its text to what it says.
        as_text: what becomes of each text in it.

    Raises:
        Unreadable: if it is missing or damaged.
    """
    text = read_text(folder, name)
    if text is None:
        raise Unreadable(f"{name} is missing")
    try:
        content = _plain(parse(text), as_text, [MOST_VALUES])
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise Unreadable(f"{name} can't be read: {error}") from error
    if not isinstance(content, dict):
        raise Unreadable(f"{name} can't be read: it holds no mapping")
    return content


def parse_yaml(text: str) -> Any:
    """Plain containers of a YAML file."""
    return yaml.load(text, Loader)


def printable(text: str) -> str:
    """A text that a terminal, a page and a file can show, of the same length.

    Shown as `�` are control characters, which a terminal would obey (tabs and line breaks stay), halves of surrogate
    pairs, which no file takes, and what is invisible or turns the direction of writing.
    """
    return UNPRINTABLE.sub("\ufffd", text)


def is_number(value: Any) -> bool:
    """Whether something can be computed with."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST


def _plain(node: Any, as_text: Callable[[str], str], left: list[int], depth: int = 0) -> Any:
    """Containers and values of JSON's kinds; numbers that nothing can be computed from become texts.

    Raises:
        ValueError: if there are more than `left` values, or if they are nested too deeply.
    """
    left[0] -= 1
    if left[0] < 0 or depth > DEEPEST:
        raise ValueError(f"it holds more than {MOST_VALUES:,} values, or is nested more than {DEEPEST} times")
    if isinstance(node, dict):
        return {as_text(str(key)): _plain(value, as_text, left, depth + 1) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_plain(value, as_text, left, depth + 1) for value in node]
    return node if node is None or isinstance(node, bool) or is_number(node) else as_text(str(node))


def check_plain(node: Any) -> None:
    """Raise a ValueError unless a configuration is made of plain values, and of no more than honest ones hold."""
    _count(node, [MOST_VALUES], 0)


def _count(node: Any, left: list[int], depth: int) -> None:
    left[0] -= 1
    if left[0] < 0 or depth > DEEPEST:
        raise ValueError(f"it holds more than {MOST_VALUES:,} values, or is nested more than {DEEPEST} times")
    if isinstance(node, dict):
        for key, value in node.items():
            if not isinstance(key, str):
                raise ValueError(f"{str(key)[:30]!r} is no key")
            _count(value, left, depth + 1)
    elif isinstance(node, list):
        for value in node:
            _count(value, left, depth + 1)
    elif not (node is None or type(node) in (bool, float, int, str)):
        raise ValueError(f"a {type(node).__name__} is no value of a configuration")
    elif (isinstance(node, int) and abs(node) > LARGEST_WHOLE) or (isinstance(node, str) and len(node) > LONGEST):
        raise ValueError("it holds a text or a number that is longer than any of a configuration")


def texts_below(node: Any, key: str) -> Iterator[tuple[str, str]]:
    """The texts in plain containers that stand at a key, each with its own key."""
    if isinstance(node, str):
        yield key, node
    for name, part in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from texts_below(part, f"{key}.{name}")


def own_path(folder: Path, name: str) -> Path:
    """A path below a folder; raise a UsageError if a link on the way leads out, or if it is a pipe or the like."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UsageError(
            f"{path} is a link that leads out of {folder}, which may come from elsewhere: it is not followed. Type the "
            f"path that it leads to, {path.resolve()}, or put that in its place."
        )
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise UsageError(f"{path} is neither a file nor a folder: remove it.")
    return path


def check_folder(folder: Path) -> None:
    """See that what is written into a folder stays there: no link in it leads out, and no pipe waits for ever.

    Raises:
        UsageError: naming the first that does.
    """
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(root, name)
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                own_path(folder, str(path.relative_to(folder)))
        folders[:] = [name for name in folders if name != "wandb"]  # W&B begins a folder for each start, and links
