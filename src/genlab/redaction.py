"""Replaces the values of secret environment variables by references, in all texts that leave a process.

A variable is secret by its name. Imports nothing heavy: the entry scripts need it early.
"""

import logging
import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig

SECRET = re.compile(r"KEY|TOKEN|SECRET|PASS|PWD|CREDENTIAL|CREDS|AUTH|(?<![A-Z])PAT(?![A-Z])", re.IGNORECASE)
ORDINARY = re.compile(  # words that hold one of these parts, and tell of no secret
    r"(MON|TUR|DON|HOC|JOC|WHIS|HOT|TURN)KEY|KEY(BOARD|MAP|WORD|NOTE|STONE|FRAME|POINT|PAD|STROKE|SYM|HOLE)|TOKENI[SZ]"
    r"|(COM|BY|SUR|TRES|HIGH|LOW|OVER|ASK)PASS|PASS(ENGER|AGE|IVE|ION|PORT|ING|ED|ES|_?THROUGH|BAND)|SECRETAR"
    r"|AUTHOR(?!I[SZ])|SSH_AUTH_SOCK|^(OLD|HOST|INIT|PROJECT)?_?PWD$",
    re.IGNORECASE,
)
MIN_LENGTH, MIN_LETTERS = 6, 8  # what is shorter, the latter if there is nothing but letters, stands in other texts too
USER = re.compile(r"(?<=://)[^/\s@$]+(?=@)")  # and password, in an address
CONFIGS = Path(__file__).parents[2] / "configs"


@cache
def is_secret(name: str, value: str) -> bool:
    """Whether a variable is secret: by its name, unless its value is short, a number, or a word of `configs/`."""
    if not SECRET.search(ORDINARY.sub(" ", name)) or len(value) < (MIN_LETTERS if value.isalpha() else MIN_LENGTH):
        return False
    try:
        float(value)
    except ValueError:
        words = _configured()
        return value not in words and not (re.fullmatch(r"[\w.]+", value) and value.partition(".")[0] in words)
    return False


@cache
def _configured() -> frozenset[str]:
    """All words of the configuration files: groups, their options, keys, packages, names."""
    files = [path for path in CONFIGS.rglob("*.yaml") if path.is_file()]
    texts = (f"{path.relative_to(CONFIGS)} {path.read_text(encoding='utf-8', errors='replace')}" for path in files)
    words = (re.findall(r"[\w-]+", text) for text in texts)
    return frozenset(word for found in words for word in found)


def refer(text: str) -> str:
    """Return a text with a reference, `${oc.env:NAME}`, in the place of each secret."""
    variables = [(name, value.strip()) for name, value in sorted(os.environ.items(), reverse=True)]
    names = {value: name for name, value in variables if value and value in text and is_secret(name, value)}
    any_of_them = "|".join(re.escape(value) for value in sorted(names, key=len, reverse=True))
    return re.sub(any_of_them, lambda found: f"${{oc.env:{names[found[0]]}}}", text) if names else text


def redact(text: str) -> str:
    """Return a text without secrets, and without the users and passwords of addresses."""
    return USER.sub("***", refer(text))


def map_texts(node: Any, change: Callable[[str], str]) -> Any:
    """Return plain containers with all texts changed; keys stay as they are."""
    if isinstance(node, dict | DictConfig):
        return {key: map_texts(value, change) for key, value in node.items()}
    if isinstance(node, list | tuple | ListConfig):
        return [map_texts(value, change) for value in node]
    return change(node) if isinstance(node, str) else node


def redact_all(node: Any) -> Any:
    """Return plain containers without secrets."""
    return map_texts(node, redact)


class Formatter(logging.Formatter):
    """Formats a record of the log, its traceback included, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text."""
        return redact(super().format(record))
