"""Numbers and texts as people read them."""

from typing import Any

import pandas as pd

DOWN = "↓ lower is better"


def number(value: Any) -> str:
    """Four digits of a number, whole ones with separators; other values as they are; nothing for nothing."""
    if value is None or value is pd.NA or value != value:
        return ""
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return str(value)
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def short(value: float) -> str:
    """As in `12k`."""
    size, sign = next((pair for pair in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if abs(value) >= pair[0]), (1, ""))
    return f"{value / size:.4g}{sign}"


def direction(key: str, is_score: bool = False) -> str:
    """What is known of which values of a metric are better: nothing of the losses of two players."""
    name = key.rpartition("/")[2]
    falls = name in ("loss", "nll", "distance", "fid", "kid") or name.startswith(("fd_", "kd_"))
    return DOWN if is_score or falls else ""


def clipped(name: str, n: int = 26) -> str:
    """A name of at most n characters: of a longer one the beginning and the end."""
    return name if len(name) <= n else f"{name[: n // 3]}…{name[-(n - n // 3 - 1) :]}"
