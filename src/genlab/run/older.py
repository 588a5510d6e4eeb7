"""Configurations that earlier versions have recorded, as this one would have recorded them."""

from typing import Any

MOVED = {  # classes that stored configurations name, by where they were
    "genlab.callbacks.Prune": "genlab.search.prune.Prune",
    "genlab.runs.strategy.DDP": "genlab.trainer.strategy.DDP",
}
# What a class did before it had a key, where that is not what it does by default today.
MEANT = {"genlab.networks.ResNetDown": {"coarsest": 4}}


def bring_up_to_date(node: Any) -> Any:
    """Return a configuration, plain containers, with today's classes and the keys that say what it meant."""
    if isinstance(node, list):
        return [bring_up_to_date(part) for part in node]
    if not isinstance(node, dict):
        return node
    target = node.get("_target_")
    moved = {"_target_": MOVED[target]} if isinstance(target, str) and target in MOVED else {}
    return MEANT.get(str(target), {}) | {key: bring_up_to_date(part) for key, part in node.items()} | moved
