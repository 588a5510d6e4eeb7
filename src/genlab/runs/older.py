"""Configurations that earlier versions have recorded, as this one would have recorded them."""

from typing import Any

# What a class did before it had a key, where that is not what it does by default today.
MEANT = {"genlab.networks.ResNetDown": {"coarsest": 4}}


def bring_up_to_date(node: Any) -> Any:
    """Return a configuration, plain containers, with the keys that say what it meant when it was written."""
    if isinstance(node, list):
        return [bring_up_to_date(part) for part in node]
    if not isinstance(node, dict):
        return node
    return MEANT.get(str(node.get("_target_")), {}) | {key: bring_up_to_date(part) for key, part in node.items()}
