"""What a run that is resumed takes over of its stored configuration, which may come from anybody.

It writes nothing out of its folder, and loggers go where this machine's configuration says.
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

NAMES = {  # that loggers keep, and what they are asked for
    "genlab.loggers.WandbLogger": ("project", "group", "job_type", "name", "tags", "notes", "log_model")
}
PLACE = re.compile(r"dir|path|folder|root|study|output", re.IGNORECASE)  # in the names of arguments
READ = ("cache_dir", "weights")  # where data and published weights are kept, for all runs


def adopt(stored: Any, folder: Path) -> dict[str, Any]:
    """The configuration with which a run in a folder goes on, given the stored one as plain containers.

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
        if "study" in node:  # only the command of the search itself reports scores to it
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
    """Check that callbacks and trainer of a run write below its folder, except where a typed key says otherwise.

    Raises:
        UsageError: naming the first key that leads out.
    """
    for part in ("callbacks", "trainer"):
        for key, value in texts_below(OmegaConf.to_container(config[part], resolve=True), part):
            name = key.rpartition(".")[2]
            is_place = PLACE.search(name) or "://" in value or not _is_below(folder / value, folder)
            is_typed = any(key == own or key.startswith(f"{own}.") for own in typed)
            if is_place and not (name in READ or is_typed or _is_below(Path(value), folder)):
                raise UsageError(
                    f"{key}={value} leads out of the run's folder {folder}, and the run may come from elsewhere: type "
                    "it again if it is to be written there."
                )


def _is_below(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
