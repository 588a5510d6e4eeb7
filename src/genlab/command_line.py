"""What people type: read as it is meant, and printed so that it can be typed again. Imports Hydra's parser alone."""

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, Quote, QuotedString
from hydra.errors import HydraException

# Keys whose values are paths or names of folders: a text whatever it looks like, and unset where it is empty.
PATHS = re.compile(
    r"paths\.\w+|hydra\.(run|sweep)\.dir|runs?|resume|init|to|sweep|output|out|images|(data\.|callbacks\.\w+\.)?cache_dir"
    r"|explain|data\.(root|path)|callbacks\.\w+\.dirpath|features\.weights|logger\.\w+\.save_dir"
)
FOLDERS = ("DATA_DIR", "LOG_DIR", "TORCH_HOME", "HF_HOME")  # variables that hold one
SETTING = re.compile(r"(\+{0,2}[\w./@:-]+)=(.*)", re.DOTALL)
HOME = re.compile(r"(?<=[=,(\['\"])~[\w.-]*(?=[/,)\]'\"]|$)")
STRUCTURE = re.compile(r"^=|[\[\]{}()'\"]")  # of a value that Hydra is to take apart
QUOTED = re.compile(r"(choice|glob|sort|shuffle)\(|['\"]")  # how one begins that is meant to be


def read_environment() -> None:
    """Expand `~` in variables that hold a folder. Those that are empty count as unset, and so do W&B's."""
    for name in [name for name in os.environ if name in FOLDERS or name.startswith("WANDB_")]:
        if not os.environ[name].strip():
            del os.environ[name]
        elif name in FOLDERS:
            os.environ[name] = str(Path(os.environ[name]).expanduser())


def read_arguments(arguments: Sequence[str], lists: str = "") -> list[str]:
    """Rewrite what was typed so that Hydra reads it as it is meant.

    A `~` at the beginning of a value is a home folder, which shells expand at the beginning of a word alone. A value
    that Hydra's grammar refuses (`#ff8000`, `Käse & Brot`) is the text that it is, unless it has brackets or quotes.
    A path is a text in any case, and counts as not typed where it is empty. `A,B` is a list for the keys `lists`, and
    several values for others. Flags may stand anywhere: Hydra's parser wants all overrides side by side, so they come
    last.
    """
    is_sweep = any(argument == "-m" or argument.startswith("--mul") for argument in arguments)
    words = [HOME.sub(lambda found: str(Path(found[0]).expanduser()), argument) for argument in arguments]
    meant = [_meant(word, is_sweep, lists) for word in words]
    return sorted((word for word in meant if word is not None), key=_is_override)


def _is_override(word: str) -> bool:
    return word.startswith("~") or (not word.startswith("-") and "=" in word)


def _meant(argument: str, is_sweep: bool, lists: str) -> str | None:
    setting = SETTING.fullmatch(argument)
    if argument.startswith("-") or not setting:
        return argument
    key, value = setting.groups()
    is_path, is_list = PATHS.fullmatch(key.lstrip("+")) is not None, key in lists.split() and not is_sweep
    if is_path and value in ("", "''", '""'):
        return None
    found, several = _read(argument), is_sweep or is_list
    is_read = found is not None and not (is_path and _is_no_text(found.value(), several))
    if not is_read and not QUOTED.match(value) and (is_path or not STRUCTURE.search(value)):
        value = ",".join(quoted(part) for part in (value.split(",") if several else [value]))
        found = _read(f"{key}={value}")
    is_sequence = is_list and found is not None and isinstance(found.value(), ChoiceSweep)
    return f"{key}=[{value}]" if is_sequence else f"{key}={value}"


def _read(argument: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(argument)
    except HydraException:
        return None


def _is_no_text(value: Any, several: bool) -> bool:
    """Whether a path has been read as something else: a number, or several where there is one."""
    if several and isinstance(value, ChoiceSweep):
        return any(_is_no_text(part, several) for part in value.list)
    return isinstance(value, int | float) or (not several and not isinstance(value, str | QuotedString | None))


def typed_keys(overrides: Sequence[str]) -> list[str]:
    """The keys of overrides."""
    return [override.key_or_group for override in OverridesParser.create().parse_overrides(list(overrides))]


def quoted(value: object, quote: Quote = Quote.single) -> str:
    """Quote a text for Hydra's command line, if it needs to be."""
    text = str(value)
    found = _read(f"key={text}")
    is_plain = text != "" and "\\" not in text and found is not None and found.value() == text
    return text if is_plain else QuotedString(text, quote).with_quotes()


def literal(value: Any) -> str:
    """Write a value so that Hydra reads it as the same one."""
    return Override._get_value_element_as_str(_all_quoted(value))


def _all_quoted(value: Any) -> Any:
    if isinstance(value, str):
        return QuotedString(value, Quote.single)
    if isinstance(value, Mapping):
        return {key: _all_quoted(part) for key, part in value.items()}
    return [_all_quoted(part) for part in value] if isinstance(value, list) else value


def typed(key: str, value: str | Path | Sequence[str | Path]) -> str:
    """How `key=value` is typed in a shell; `key=[value,value]` for several.

    Quotes of Hydra's are double ones where that can be, since the shell's are single ones.
    """
    if isinstance(value, str | Path):
        return shlex.quote(f"{key}={_doubly_quoted(value)}")
    return shlex.quote(f"{key}=[{','.join(map(_doubly_quoted, value))}]")


def _doubly_quoted(value: str | Path) -> str:
    return quoted(value, Quote.single if '"' in str(value) else Quote.double)
