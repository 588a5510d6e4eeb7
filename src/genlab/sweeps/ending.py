"""The end of a sweep, which Hydra does not announce: whatever a command has begun is brought to its end here."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

begun: list[Any] = []  # the sweeps of this command: none, or one


@contextmanager
def swept() -> Iterator[None]:
    """Run a command; if it was a sweep, say what has come of it, failures or not.

    Raises:
        SystemExit: with 1 if a cell has failed.
    """
    try:
        yield
    except SystemExit:
        _end()
        raise
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    if _end():
        raise SystemExit(1)


def _end() -> int:
    """End the sweep, failures or not. All that looks at a whole sweep belongs here, such as a report on its folder."""
    return max((sweep.end() for sweep in begun if sweep.cells), default=0)
