"""Overrides that a search adds to those of its trials."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from genlab.command_line import literal


def prune_override(study: Path, trial: int, pruner: DictConfig) -> str:
    """What has a trial tell the study of its scores, and end if it lags behind: see `genlab.search.prune.Prune`."""
    node = {
        "_target_": "genlab.search.prune.Prune",
        "study": str(study),
        "trial": trial,
        "pruner": OmegaConf.to_container(pruner, resolve=True),
    }
    return f"+callbacks.prune={literal(node)}"
