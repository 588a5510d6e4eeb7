"""Overrides that a search adds to those of its trials."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override, Quote, QuotedString
from omegaconf import DictConfig, OmegaConf


def prune_override(study: Path, trial: int, pruner: DictConfig) -> str:
    """What has a trial tell the study of its scores, and end if it lags behind: see `genlab.callbacks.Prune`."""
    node = {
        "_target_": "genlab.callbacks.Prune",
        "study": str(study),
        "trial": trial,
        "pruner": OmegaConf.to_container(pruner, resolve=True),
    }
    return f"+callbacks.prune={literal(node)}"


def literal(value: Any) -> str:
    """Write a value so that Hydra reads it as the same one."""
    return Override._get_value_element_as_str(_quoted(value))


def _quoted(value: Any) -> Any:
    if isinstance(value, str):
        return QuotedString(value, Quote.single)
    if isinstance(value, Mapping):
        return {key: _quoted(part) for key, part in value.items()}
    return [_quoted(part) for part in value] if isinstance(value, list) else value
