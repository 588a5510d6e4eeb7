"""The keys of the entry scripts that become no argument of a class. Imports nothing heavy."""

from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError

from genlab.bounds import AtLeastTwo, PositiveInt
from genlab.config.values import convert

KEYS: dict[str, Any] = {
    "seed": int,
    "tags": list[str],
    "resume": str | None,
    "sweep": str | None,
    "retry_failed": bool,
    "preflight": Literal["run", "skip"],
    "run": str | list[str] | None,
    "runs": str | list[str] | None,
    "images": str | None,
    "weights": Literal["ema", "raw"],
    "cache_dir": str | None,
    "output": str | None,
    "verify": bool,
    "out": str | None,
    "to": Literal["wandb"] | None,
    "paths.data_dir": str,
    "paths.log_dir": str,
    "paths.run_dir": str,
    "metrics.n_samples": AtLeastTwo,
    "metrics.batch_size": PositiveInt,
    "metrics.split": str,
    "metrics.reference": str,
}


def check_keys(cfg: DictConfig, keep_references: bool = False) -> None:
    """Convert, in place, those of `KEYS` that a configuration has.

    Args:
        cfg: of an entry script.
        keep_references: whether what refers to something else is checked alone.

    Raises:
        UsageError: for a value that a key can't take.
    """
    for key, kind in KEYS.items():
        parent, _, name = key.rpartition(".")
        node = OmegaConf.select(cfg, parent) if parent else cfg
        if isinstance(node, DictConfig) and name in node:
            try:
                value = node[name]
                new = convert(key, value, kind)
            except InterpolationResolutionError:  # of a variable that is not set: who needs it says so
                continue
            assign(node, name, value, new, keep_references)


def assign(node: DictConfig, name: str, old: Any, value: Any, keep_references: bool) -> None:
    """Set an entry of a configuration, unless it has this value already.

    Args:
        node: the parent.
        name: the entry's.
        old: what the entry is, references resolved.
        value: what it is to be.
        keep_references: whether an entry that refers to something else is left.
    """
    if OmegaConf.is_config(value) or (keep_references and _refers(node, name, old)):
        return
    if OmegaConf.is_config(old):
        old = OmegaConf.to_container(old, resolve=True)
    if repr(old) != repr(value):
        node[name] = value


def _refers(node: DictConfig, name: str, value: Any) -> bool:
    if OmegaConf.is_interpolation(node, name):
        return True
    return OmegaConf.is_config(value) and "${" in str(OmegaConf.to_container(value))
