"""What the configuration that is stored with a run refers to, checked before it is resolved."""

import os
import re
from collections.abc import Iterable
from typing import Any

from genlab.command_line import PATHS
from genlab.config.values import TRUTHS
from genlab.errors import UsageError
from genlab.foreign import texts_below

INNERMOST = re.compile(r"\$\{([^${}]*)\}")
READS = re.compile(r"\s*oc\.env\s*:\s*([^\s,:]+)\s*(?:,(.*))?", re.DOTALL)
KEY = re.compile(r"\s*(\.*)([\w/@+-]+(?:\.[\w/@+-]+)*)\s*")
MOST, LONGEST = 10_000, 100_000  # references that are followed, characters that come of one

BUILT = ("model", "data", "features", "callbacks", "trainer", "paths", "seed")  # parts from which objects are made


class References:
    """The references of a stored configuration, plain containers.

    Other keys may be referred to, and by `oc.env` variables, the value of which may be any text where a path stands
    (`data.root`, `paths.data_dir`), and a number, true, false or null elsewhere. No other resolver is honoured.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self._config, self._left = config, MOST

    def check(self, parts: Iterable[str]) -> None:
        """Raise a UsageError for a reference that is not honoured, or a variable that is needed and not set."""
        for part in parts:
            for key, text in texts_below(self._config.get(part), part):
                try:
                    whole = self._follow(key, text, part not in BUILT)
                except RecursionError:
                    raise _refusal(key, text) from None
                if "${" in text and "://" in whole and part in BUILT:
                    raise UsageError(f"{key}={text} is refused: no address is made of references in a stored run.")

    def _follow(self, key: str, text: str, is_free: bool) -> str:
        """What a text comes to. `is_free`: whether a variable may have any value, also where no path stands."""
        is_free = is_free or PATHS.fullmatch(key) is not None
        while "${" in text:
            found = INNERMOST.search(text)
            if found and (reads := READS.fullmatch(found[1])):
                value = _variable(key, reads[1], reads[2], is_free)
            elif found and (refers := KEY.fullmatch(found[1])):
                value = self._entry(key, text, refers[1], refers[2], is_free)
            else:
                raise _refusal(key, text)
            text = text[: found.start()] + value.replace("${", "$ {") + text[found.end() :]
            if len(text) > LONGEST:
                raise UsageError(f"{key} unfolds to more than any configuration holds: it is refused.")
        return text

    def _entry(self, key: str, text: str, dots: str, name: str, is_free: bool) -> str:
        """What another entry comes to; a container is looked through, and comes to nothing."""
        self._left -= 1
        way = [*(key.split(".")[: -len(dots)] if dots else []), *name.split(".")]
        node: Any = self._config
        for part in way:
            if not isinstance(node, dict) or part not in node or self._left < 0:
                raise _refusal(key, text)
            node = node[part]
        if isinstance(node, str):
            return self._follow(".".join(way), node, is_free)
        for inner, part in texts_below(node, ".".join(way)):
            self._follow(inner, part, is_free)
        return "" if isinstance(node, dict | list) else str(node)


def _variable(key: str, name: str, default: str | None, is_free: bool) -> str:
    value = os.environ.get(name)
    if value is None and default is None and key.partition(".")[0] in BUILT:
        raise UsageError(f"{key} is read from the environment variable {name}, which is not set: set it in .env.")
    if value is not None and not is_free and not _is_number(value.strip().lower()):
        raise UsageError(
            f"{key} reads the environment variable {name}, as a stored run may do for a path, such as data.root, and "
            "elsewhere for a number alone: it is refused, as a run may come from elsewhere."
        )
    return value if value is not None else default or ""


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return word in (*TRUTHS, "null")
    return True


def _refusal(key: str, text: str) -> UsageError:
    return UsageError(
        f"{key}={text[:200]} is refused: of the references in a stored run those to its own keys and ${{oc.env:NAME}} "
        "alone are followed, as it may come from elsewhere."
    )
