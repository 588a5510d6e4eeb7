"""Errors that a user can mend, said in one sentence. Imports nothing heavy: the entry scripts need it early."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches


class UsageError(ValueError):
    """A wrong input. Its text says what is wrong, what was expected and what to type instead."""


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, what caused it, and so on, each once: an error may be among its own causes."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        yield cause
        seen.add(id(cause))
        cause = cause.__cause__


def one_line(error: BaseException) -> str:
    """Describe an error in one line; some have no text of their own."""
    return " ".join(str(error).split()) or type(error).__name__


def unknown(what: str, name: str, valid: list[str]) -> str:
    """Return the sentence for a `what` of an unknown `name`, with the nearest valid one and the whole list."""
    choices = f"Valid: {', '.join(sorted(set(valid)))}." if valid else "There are none."
    return f"There is no {what} {name!r}.{nearest(name, valid)} {choices}"


def nearest(name: str, valid: list[str]) -> str:
    """Return a question with the valid name that is nearest to one; an empty text if none is near."""
    near = get_close_matches(name, valid, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def listed(names: Sequence[str], most: int = 10) -> str:
    """Return names as they stand in a sentence, the first ones of many: `a, b and c`, `a, b and 7 more`."""
    shown = [*names] if len(names) <= most else [*names[:most], f"{len(names) - most:,} more"]
    return " and ".join(part for part in (", ".join(shown[:-1]), shown[-1]) if part) if shown else "none"
