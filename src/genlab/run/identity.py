"""What a run is known by: a hash of its configuration, its folder, and its name in a sweep."""

import copy
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from genlab.config.record import resolve
from genlab.errors import UsageError
from genlab.foreign import check_folder
from genlab.names import LONGEST, file_name, shorten
from genlab.redaction import redact

OF_SWEEP = ("hydra", "paths", "preflight", "resume", "retry_failed", "sweep")  # which runs, and where
IRRELEVANT = (*OF_SWEEP, "logger", "tags")  # what does not bear on the result
PRUNE = "callbacks.prune"  # reports scores to a search, which adds it


def top_key(typed: str) -> str:
    """The first part of a key, or of `key=value`, as it is typed."""
    return re.split(r"[.@/=]", typed.lstrip("+~"))[0]


def bears_on_result(key: str) -> bool:
    """Whether the result of a run depends on a key."""
    return top_key(key) not in IRRELEVANT and not key.startswith(PRUNE)


def fingerprint(config: DictConfig) -> str:
    """Return 8 hexadecimal digits that stand for all of a configuration that bears on the result.

    Paths count by their names, so that moved folders change nothing, and what reads the environment as it was typed.
    """
    config = copy.deepcopy(config)
    OmegaConf.set_readonly(config, False)
    OmegaConf.set_struct(config, False)
    config.paths = {name: name for name in config.get("paths", {})}
    if config.get("callbacks"):
        config.callbacks.pop(PRUNE.rpartition(".")[2], None)
    for key in ("init", "prior", "tf32"):
        if not config.get(key):
            config.pop(key, None)  # runs of earlier versions have none
    text = json.dumps(resolve(config, without=IRRELEVANT), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def swept_keys(typed: Any, params: Any = None) -> list[str]:
    """The keys that a sweep gives several values, by the command line and `hydra.sweeper.params`: a resolver.

    OmegaConf keeps its answer of the whole sweep, as it keeps that of `now`, and Hydra hands it on to each run.
    """
    texts = [*_plain(typed), *(f"{key}={value}" for key, value in (_plain(params) or {}).items())]
    overrides = OverridesParser.create().parse_overrides(texts)
    return [override.key_or_group for override in overrides if override.is_sweep_override()]


def cell_name(swept: Any = (), *, _root_: DictConfig) -> str:
    """Name the folder of a run by the swept keys, groups first, and its fingerprint: a resolver.

    An example is `data-shapes_model-gan_1f0c2a3b`. A folder with the same fingerprint keeps its name, whatever the
    sweep varies by now. Without swept keys all that was typed is said.
    """
    own = fingerprint(_root_)
    given = [text.lstrip("+") for text in telling(_plain(_root_.hydra.overrides.task), _plain(swept))]
    given.sort(key=lambda text: (text.partition("=")[0].count("."), text))
    names = "_".join(file_name(redact(text)) for text in given).strip("-")
    name = f"{shorten(names, LONGEST - len(own) - 1) or 'cell'}_{own}"
    folder = Path(str(OmegaConf.select(_root_, "hydra.sweep.dir", default=".")))
    known = sorted(path.name for path in folder.glob(f"*_{own}"))
    return name if name in known or not known else known[0]


def telling(overrides: Sequence[str], swept: Sequence[str]) -> list[str]:
    """The overrides of a run that tell it from the others of a sweep; without any, those that bear on its result."""
    keys = {text: text.lstrip("+").partition("=")[0] for text in overrides}
    bearing = [text for text, key in keys.items() if bears_on_result(key)]
    return [text for text in bearing if keys[text] in swept] or bearing


def _plain(node: Any) -> Any:
    """Containers whose references stay as they are."""
    return OmegaConf.to_container(node, resolve=False) if OmegaConf.is_config(node) else node


def sweep_name(name: Any, date: str) -> str:
    """The name of a sweep's folder, a resolver: the one that was typed, or else the date. Refuses a path."""
    text = str(name or date)
    if text in (".", "..") or any(sign in text for sign in "/\\\0"):
        raise UsageError(
            f"sweep={text} is a path: type a name, which becomes a folder of the log folder's train/sweeps, or "
            "hydra.sweep.dir=PATH for a folder anywhere."
        )
    return text


def register_resolvers() -> None:
    """Make `${cell:...}`, `${swept:...}` and `${sweep_name:...}` known to OmegaConf."""
    OmegaConf.register_new_resolver("cell", cell_name, replace=True)
    OmegaConf.register_new_resolver("swept", swept_keys, replace=True, use_cache=True)
    OmegaConf.register_new_resolver("sweep_name", sweep_name, replace=True)


def run_folder(run: str) -> Path:
    """The folder of the run that `resume` names by itself or by a checkpoint. Refuses one with links that lead out."""
    path = Path(run)
    folder = path.parent.parent if path.is_file() and path.parent.name == "checkpoints" else path
    if not (folder / "config.yaml").is_file():
        raise UsageError(
            f"resume={run} is no run: give a run folder, which holds config.yaml and checkpoints/, such as "
            "logs/train/runs/DATE_TIME, or one of its checkpoints."
        )
    check_folder(folder)  # before Hydra opens the log
    return folder
