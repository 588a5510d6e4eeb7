"""JSON as every program reads it."""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any


def to_json(node: Any) -> str:
    """Write plain containers as JSON: NaN and infinity are null, as the format has neither."""
    return json.dumps(_finite(node), indent=2, allow_nan=False) + "\n"


def _finite(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _finite(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_finite(value) for value in node]
    return None if isinstance(node, float) and not isfinite(node) else node
