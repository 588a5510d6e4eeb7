"""Numbers as people read them, and which metrics are better when they are low."""

from typing import Any

import pandas as pd

from genlab.console import plus_minus


def number(value: Any) -> str:
    """Four digits of a number, whole ones with separators; other values as they are; nothing for nothing."""
    if value is None or value is pd.NA or value != value:
        return ""
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return str(value)
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def with_half(value: Any, half: float | None) -> str:
    """A number and half the width of its interval, as in `182.4 ± 7.1`; without one the number alone."""
    return number(value) + ("" if pd.isna(half) else plus_minus(half))


def short(value: float) -> str:
    """As in `12k`."""
    size, sign = next((pair for pair in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if abs(value) >= pair[0]), (1, ""))
    return f"{value / size:.4g}{sign}"


def arrow(key: str) -> str:
    """`  ↓` for a metric of which low values are better, as far as is known: nothing of the losses of two players."""
    name = key.rpartition("/")[2]
    is_low_better = name in ("score", "loss", "nll", "distance", "fid", "kid") or name.startswith(("fd_", "kd_"))
    return "  ↓" if is_low_better else ""
