"""The keys of the entry scripts that become no argument of a class. Imports nothing heavy."""

from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError

from genlab.bounds import AtLeastTwo, Port, PositiveInt, Width
from genlab.config.values import convert

KEYS: dict[str, Any] = {
    "seed": int,
    "tf32": bool,
    "tags": list[str],
    "resume": str | None,
    "init": str | None,
    "sweep": str | None,
    "retry_failed": bool,
    "preflight": Literal["run", "skip", "probe", "only"],
    "run": str | list[str] | None,
    "runs": str | list[str] | None,
    "explain": str | list[str] | None,
    "images": str | None,
    "weights": Literal["ema", "raw"],
    "ema": Width | None,
    "cache_dir": str | None,
    "output": str | None,
    "verify": bool,
    "out": str | None,
    "to": str | None,
    "overwrite": bool,
    "onnx": bool,
    "codes": bool,
    "push": str | None,
    "private": bool,
    "n_sliders": PositiveInt,
    "port": Port,
    "share": bool,
    "only": str | list[str] | None,
    "paths.data_dir": str,
    "paths.log_dir": str,
    "paths.run_dir": str,
    "metrics.n_samples": AtLeastTwo,
    "metrics.batch_size": PositiveInt,
    "metrics.split": str,
    "metrics.reference": str,
}


def check_keys(cfg: DictConfig, keep_references: bool = False) -> None:
    """Convert, in place, those of `KEYS` that the configuration of an entry script has.

    With `keep_references` what refers to something else is checked alone. A value that can't be is a UsageError.
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


def assign(node: DictConfig, name: str, old: Any, new: Any, keep_references: bool) -> None:
    """Change an entry from its resolved value to a new one; with `keep_references`, not what refers to something."""
    if OmegaConf.is_config(new):
        return
    plain = OmegaConf.to_container(old) if OmegaConf.is_config(old) else old
    refers = OmegaConf.is_interpolation(node, name) or (plain is not old and "${" in str(plain))
    if keep_references and refers:
        return
    if plain is not old:
        plain = OmegaConf.to_container(old, resolve=True)
    if repr(plain) != repr(new):
        node[name] = new
