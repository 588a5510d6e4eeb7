"""Errors that a user can mend, said in one sentence. Imports nothing heavy: the entry scripts need it early."""

from difflib import get_close_matches
from typing import Any


class UsageError(ValueError):
    """A wrong input. Its text says what is wrong, what was expected and what to type instead."""


def unknown(what: str, name: str, valid: list[str]) -> str:
    """Return the sentence for a `what` of an unknown `name`, with the nearest valid one and the whole list."""
    near = get_close_matches(name, valid, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"There is no {what} {name!r}.{hint} Valid: {', '.join(sorted(valid))}."


def whole_number(key: str, value: Any, minimum: int = 1) -> int:
    """Return `value` if it is a whole number of at least `minimum`; raise a UsageError that names `key` if not."""
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise UsageError(f"{key}={value} is not possible: it must be a whole number of at least {minimum}.")
    return value


def not_negative(key: str, value: Any) -> float:
    """Return `value` as a float if it is a number of at least 0; raise a UsageError that names `key` if not."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise UsageError(f"{key}={value} is not possible: it must be a number of at least 0.")
    return float(value)


def share(key: str, value: Any) -> float:
    """Return `value` as a float if it lies in [0, 1]; raise a UsageError that names `key` if not."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise UsageError(f"{key}={value} is not possible: it must be a number from 0 to 1.")
    return float(value)


def positive(key: str, value: Any) -> float:
    """Return `value` as a float if it is a number above zero; raise a UsageError that names `key` if not."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise UsageError(f"{key}={value} is not possible: it must be a number above 0.")
    return float(value)
