"""What a measure says where it has nothing to measure, or too little."""

from genlab.stamp import Measurement


class NotApplicable(Exception):
    """A measure that a subject has nothing for; the text says why.

    Args:
        reason: why.
        metric: the one of several metrics of a measure that it is about; a measure may yield such an exception.
    """

    def __init__(self, reason: str, metric: str | None = None) -> None:
        super().__init__(reason)
        self.metric = metric


def too_few(needed: int, **counts: int) -> str | None:
    """Say which of some sets of images, by their names, are smaller than `needed`; None if all are large enough."""
    small = {name.replace("_", " "): n for name, n in counts.items() if n < needed}
    return ", and ".join(f"{needed} {name} or more are needed, and there {_is(n)}" for name, n in small.items()) or None


def _is(n: int) -> str:
    return f"is {n}" if n == 1 else f"are {n}"


Found = Measurement | NotApplicable
