"""Reading files that may come from anybody: regular files of their own folder, of a limited size, as plain data.

Imports nothing heavy.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from genlab.errors import UsageError

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster than Python's own

MOST_BYTES = 2**26  # of a file that is read whole
MOST_VALUES, DEEPEST = 20_000, 30  # of a configuration: aliases in YAML may unfold to any number
TOO_LARGE = f"it holds more than {MOST_VALUES:,} values, or is nested more than {DEEPEST} times"
LARGEST = 1e300  # differences and squares of a number stay finite
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


class Unreadable(Exception):
    """A file that is missing or damaged, and why."""


def own_file(folder: Path, name: str) -> Path | None:
    """A regular file of a folder; None if it is not there.

    Raises:
        Unreadable: if it is something else, or a link that leads out of the folder: a report that is sent to others
            must not show files of whoever made it.
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
    """The text of a file, see `own_file`; raise Unreadable also if it can't be read, or is too large."""
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
    """Parse a file that holds a mapping of plain values; raise Unreadable if it does not.

    Args:
        folder, name: see `own_file`.
        parse: from its text to its content.
        as_text: is applied to each text in it.
    """
    text = read_text(folder, name)
    if text is None:
        raise Unreadable(f"{name} is missing")
    try:
        content = parse(text)
        check_size(content)
        content = _plain(content, as_text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise Unreadable(f"{name} can't be read: {error}") from error
    if not isinstance(content, dict):
        raise Unreadable(f"{name} can't be read: it holds no mapping")
    return content


def parse_yaml(text: str) -> Any:
    """Plain containers of a YAML file."""
    return yaml.load(text, Loader)


def printable(text: str) -> str:
    """Replace by `�` what a terminal would obey, and what is invisible, turns the direction or is no Unicode."""
    return UNPRINTABLE.sub("\ufffd", text)


def is_number(value: Any) -> bool:
    """Whether a value is a number that can be computed with."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST


def _plain(node: Any, as_text: Callable[[str], str]) -> Any:
    """Values of JSON's kinds; NaN, infinite and huge numbers become texts."""
    if isinstance(node, dict):
        return {as_text(str(key)): _plain(value, as_text) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_plain(value, as_text) for value in node]
    return node if node is None or isinstance(node, bool) or is_number(node) else as_text(str(node))


def check_size(node: Any) -> None:
    """Raise a ValueError if plain containers hold too many values, or are nested too deeply."""
    if any(n >= MOST_VALUES for n, _ in enumerate(leaves(node, ""))):
        raise ValueError(TOO_LARGE)


def leaves(node: Any, key: str) -> Iterator[tuple[str, Any]]:
    """The values in plain containers that stand at a key, each with its own dotted key; empty containers are values."""
    if key.count(".") > DEEPEST:
        raise ValueError(TOO_LARGE)
    if isinstance(node, dict | list | tuple) and node:
        for name, part in node.items() if isinstance(node, dict) else enumerate(node):
            yield from leaves(part, f"{key}.{name}")
    else:
        yield key, node


def texts_below(node: Any, key: str) -> Iterator[tuple[str, str]]:
    """The texts among the leaves."""
    return ((name, text) for name, text in leaves(node, key) if isinstance(text, str))


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
    """Raise a UsageError if a link anywhere in a folder leads out, or if a pipe would block whoever opens it."""
    for root, folders, files in os.walk(folder):
        for path in (Path(root, name) for name in (*folders, *files)):
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                own_path(folder, str(path.relative_to(folder)))
        folders[:] = [name for name in folders if name != "wandb"]  # W&B begins a folder for each start, and links
