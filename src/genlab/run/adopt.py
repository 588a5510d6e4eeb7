"""What a run that goes on takes over of the configuration that is stored with it, which may come from anybody.

It writes nothing out of its folder, and tells nobody but the loggers of who has typed the command.
"""

import logging
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from genlab.config.references import References
from genlab.errors import UsageError
from genlab.foreign import parse_yaml, texts_below
from genlab.redaction import CONFIGS
from genlab.run.checkpoint import check_parts

log = logging.getLogger(__name__)

NAMES = {"genlab.loggers.WandbLogger": ("project", "group", "job_type", "name", "tags", "notes")}  # that loggers keep
PLACE = re.compile(r"dir|path|folder|root|study|output", re.IGNORECASE)  # in the names of arguments
LEADS_OUT = re.compile(r"[/~\\]|[A-Za-z]:[\\/]|.*://|(.*[/\\])?\.\.([/\\]|$)", re.DOTALL)
READ = ("cache_dir", "weights")  # where data and published weights are kept, for all runs


def adopt(stored: Any, folder: Path) -> dict[str, Any]:
    """The configuration of a run, as it goes on in a folder, with what its configuration may say.

    Args:
        stored: plain containers.
        folder: of the run.

    Raises:
        UsageError: for a reference that is not honoured.
        ValueError: if it is no configuration of a run, among others.
    """
    References(stored).check(part for part in stored if part != "logger")
    callbacks, paths, seed = (stored[part] for part in ("callbacks", "paths", "seed"))
    if not isinstance(paths["run_dir"], str) or not isinstance(seed, int | str):
        raise ValueError("it names no folder, or no seed")
    check_parts(stored, "model", "data", "trainer")
    check_parts(callbacks, *callbacks)
    for name, node in callbacks.items():
        if "study" in node:  # a run by itself tells the search nothing, which asks for it by its own command
            callbacks = {**callbacks, name: node | {"study": str(folder / "study.log")}}
    return {**stored, "callbacks": callbacks, "logger": _loggers(stored.get("logger") or {})}


def _loggers(stored: dict[str, Any]) -> dict[str, Any]:
    """Loggers of the same kinds, as configs/logger has them: they know hosts, folders and keys. Names stay."""
    files = [parse_yaml(path.read_text(encoding="utf-8")) or {} for path in sorted((CONFIGS / "logger").glob("*.yaml"))]
    known = {node["_target_"]: (name, node) for file in files for name, node in file.items()}
    loggers = {}
    for key, node in stored.items():
        target = str(node["_target_"])
        if target not in known:
            log.warning("logger.%s of the run is left out: loggers other than those of configs/logger are typed.", key)
            continue
        name, ours = known[target]
        kept = {key: value for key, value in node.items() if key in NAMES.get(target, ()) and "${" not in str(value)}
        loggers[name] = ours | kept
    return loggers


def check_places(config: DictConfig, typed: Collection[str], folder: Path) -> None:
    """See that what callbacks and trainer of a run write lies below its folder, unless it has been typed.

    Args:
        config: of the run as it goes on.
        typed: the keys that are.
        folder: of the run.

    Raises:
        UsageError: naming the first key that leads out.
    """
    for part in ("callbacks", "trainer"):
        for key, value in texts_below(OmegaConf.to_container(config[part], resolve=True), part):
            name = key.rpartition(".")[2]
            is_place = PLACE.search(name) or LEADS_OUT.match(value)
            if not is_place or name in READ or any(key == own or key.startswith(f"{own}.") for own in typed):
                continue
            if not Path(value).resolve().is_relative_to(folder.resolve()):
                raise UsageError(
                    f"{key}={value} leads out of the run's folder {folder}, and the run may come from elsewhere: type "
                    "it again if it is to be written there."
                )
