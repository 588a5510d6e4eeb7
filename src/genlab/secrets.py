"""What must not leave the environment: keys, tokens, passwords, and whatever else a `.env` file holds.

Where text is written a secret is replaced by a reference to it, `${oc.env:NAME}`. In a configuration that reads it from
the environment again, once it is needed. Imports nothing heavy: the entry scripts need it early.
"""

import json
import logging
import os
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dotenv import dotenv_values, load_dotenv
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError

from genlab.errors import UsageError

# What a `.env` file may hold that is no secret; see .env.example.
SETTINGS = frozenset(
    (
        *("DATA_DIR", "LOG_DIR", "TORCH_HOME", "HF_HOME", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"),
        *("WANDB_PROJECT", "WANDB_ENTITY", "WANDB_MODE", "WANDB_BASE_URL", "WANDB_DIR"),
    )
)
TELLING = re.compile(  # a word of a variable's name; GIT_AUTHOR_NAME is none
    r"(?<![A-Z])(API)?(KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASS|PASSPHRASE|CREDENTIAL|AUTH)S?(?![A-Z])", re.IGNORECASE
)
MIN_LENGTH = 6  # what is shorter stands in too many other texts
USER = re.compile(r"(?<=://)[^/\s@$]+(?=@)")  # and password, in an address
PASSWORD = re.compile(r"://[^/\s@$:]*:[^/\s@$]+@")

_in_file: set[str] = set()  # names of the variables that a `.env` file sets


def load_environment(file: Path) -> None:
    """Set the variables of a `.env` file that the shell has not set."""
    _in_file.update(dotenv_values(file))
    load_dotenv(file)


def referring(text: str) -> str:
    """Return a text with a reference in the place of each secret."""
    secret = [(name, os.environ[name]) for name in sorted(os.environ) if _is_secret(name)]
    names, pattern = _forms(tuple(secret))
    return pattern.sub(lambda found: f"${{oc.env:{names[found[0]]}}}", text) if names else text


def redacted(text: str) -> str:
    """Return a text without secrets, and without the users and passwords of addresses."""
    return USER.sub("***", referring(text))


def redacted_all(node: Any) -> Any:
    """Return containers, as plain ones, with all of their texts redacted."""
    if isinstance(node, dict | DictConfig):
        return {key: redacted_all(value) for key, value in node.items()}
    if isinstance(node, list | tuple | ListConfig):
        return [redacted_all(value) for value in node]
    return redacted(node) if isinstance(node, str) else node


def recordable(node: Any, without: Sequence[str] = ()) -> Any:
    """Return a configuration as plain containers, resolved, with references in the place of secrets.

    A reference to a variable that is not set stays as it is: what needs it will say so.

    Args:
        node: the configuration, or a part of it.
        without: keys to leave out.

    Raises:
        UsageError: if an address holds a password that is not in the environment.
    """
    if OmegaConf.is_dict(node):
        return {key: recordable(_value(node, key)) for key in node if key not in without}
    if OmegaConf.is_list(node):
        return [recordable(_value(node, number)) for number in range(len(node))]
    if not isinstance(node, str):
        return node
    if PASSWORD.search(text := referring(node)):
        raise UsageError(
            f"{redacted(node)} holds a password, which would be written into the run's files: put it into .env, as "
            "NAME=PASSWORD, and type '${oc.env:NAME}' in its place."
        )
    return text


def _value(node: Any, key: Any) -> Any:
    try:
        return node[key]
    except InterpolationResolutionError:
        text = OmegaConf.to_container(node)[key]  # type: ignore[index]
        if "${oc.env:" not in str(text):
            raise
        return text


def _is_secret(name: str) -> bool:
    return name not in SETTINGS and (name in _in_file or TELLING.search(name) is not None)


@cache
def _forms(secrets: tuple[tuple[str, str], ...]) -> tuple[dict[str, str], re.Pattern[str]]:
    """Names of variables by the texts as which their values, or lines of them, may appear; and what finds them."""
    names: dict[str, str] = {}
    for name, value in secrets:
        for part in (value, *value.splitlines()):
            for form in (part, part.strip(), json.dumps(part)[1:-1], repr(part)[1:-1], quote(part), quote(part, "")):
                if len(form) >= MIN_LENGTH:
                    names.setdefault(form, name)
    return names, re.compile("|".join(re.escape(form) for form in sorted(names, key=len, reverse=True)))


class Formatter(logging.Formatter):
    """Formats a record of the log, its traceback included, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text."""
        return redacted(super().format(record))


class Stream:
    """A stream to which no secret is written.

    Where somebody replaces its `write`, as W&B does to record what is printed, the replacement gets the redacted text.

    Args:
        stream: where it goes.
    """

    def __init__(self, stream: Any) -> None:
        self._stream, self._write = stream, stream.write

    @property
    def write(self) -> Callable[[str], Any]:
        """Write a text."""
        write = self._write
        return lambda text: write(redacted(text))

    @write.setter
    def write(self, write: Callable[[str], Any]) -> None:
        self._write = write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
