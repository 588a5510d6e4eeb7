"""How labels reach what may or may not take them."""

from typing import Any

from torch import Tensor


def given(y: Tensor | None) -> dict[str, Any]:
    """Labels as a further argument `y`, for `decode(z, **given(y))`: nothing where there are none (None)."""
    return {} if y is None else {"y": y}
