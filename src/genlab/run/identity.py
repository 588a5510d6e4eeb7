"""A run of a sweep: its name, and how it fares."""

import copy
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from genlab.config.record import resolve
from genlab.errors import UsageError
from genlab.foreign import Unreadable, check_folder, is_number, printable
from genlab.names import LONGEST, file_name, shorten
from genlab.redaction import redact
from genlab.run.summary import parse_summary

# What does not bear on the result: where a run lies, who is told of it, and how a sweep goes about it.
IRRELEVANT = ("hydra", "logger", "tags", "resume", "sweep", "retry_failed", "preflight")
PRUNE = "callbacks.prune"  # tells a search of the score, and belongs to the search


class Outcome(NamedTuple):
    """What `summary.json` says of a run.

    Attributes:
        status: `running` (or killed), `completed`, `failed`, `interrupted`, `pruned`; `damaged` if the file can't be
            read, `new` if there is none.
        score: the newest one, lower being better; None before the first.
        error: why it failed, or None.
        summary: all of the file.
    """

    status: str
    score: float | None = None
    error: str | None = None
    summary: Mapping[str, Any] = MappingProxyType({})

    @property
    def is_final(self) -> bool:
        """Whether the run has come to its end, so that there is nothing to go on with."""
        return self.status in ("completed", "pruned")


def read_outcome(run_dir: Path) -> Outcome:
    """Read how the run in a folder fares."""
    try:
        summary = parse_summary(run_dir)
    except Unreadable as reason:
        return Outcome("damaged", error=printable(f"{run_dir}: {reason}"))
    if not summary:
        return Outcome("new")
    score, error = (summary.get("score") or {}).get("value"), summary.get("error")
    status = summary.get("status") or "damaged"
    return Outcome(status, score if is_number(score) else None, error and printable(error), summary)


def fingerprint(config: DictConfig) -> str:
    """Return 8 hexadecimal digits that stand for all of a configuration that bears on the result.

    Args:
        config: as composed. Paths count by their names, so that moved folders change nothing, and
            what reads the environment as it was typed.
    """
    config = copy.deepcopy(config)
    OmegaConf.set_readonly(config, False)
    OmegaConf.set_struct(config, False)
    config.paths = {name: name for name in config.get("paths", {})}
    if config.get("callbacks"):
        config.callbacks.pop(PRUNE.rpartition(".")[2], None)
    relevant = resolve(config, without=(*IRRELEVANT, "paths"))
    text = json.dumps(relevant, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def swept_keys(typed: Any, params: Any = None) -> list[str]:
    """The keys that a sweep gives several values: a resolver, asked on the whole sweep's configuration.

    OmegaConf keeps its answer, as it keeps that of `now`, and Hydra hands it on to the configuration of each run,
    wherever that is composed.

    Args:
        typed: the overrides of the command line.
        params: those of `hydra.sweeper.params`, by their keys.
    """
    texts = [*_plain(typed), *(f"{key}={value}" for key, value in (_plain(params) or {}).items())]
    overrides = OverridesParser.create().parse_overrides(texts)
    return [override.key_or_group for override in overrides if override.is_sweep_override()]


def cell_name(swept: Any = (), *, _root_: DictConfig) -> str:
    """Name the folder of a run by what differs among the runs of its sweep, groups first, and a hash of all that
    bears on the result, as in `data-shapes_model-gan_1f0c2a3b`: a resolver.

    The hash is what a run is known by. A folder that has it keeps its name, whatever the sweep varies by now.

    Args:
        swept: the keys that differ; where there are none, all that was typed is said.
    """
    own = fingerprint(_root_)
    given = [text.lstrip("+") for text in telling(_plain(_root_.hydra.overrides.task), _plain(swept))]
    given.sort(key=lambda text: (text.partition("=")[0].count("."), text))
    names = [file_name(redact(text)) for text in given]
    room = LONGEST - len(f"_{own}")
    if len("_".join(names).encode()) > room:
        names = [shorten(name, max((room + 1) // len(names) - 1, 8)) for name in names]
    name = f"{shorten('_'.join(names).strip('-'), room) or 'cell'}_{own}"
    folder = Path(str(OmegaConf.select(_root_, "hydra.sweep.dir", default=".")))
    known = sorted(path.name for path in folder.glob(f"*_{own}"))
    return name if name in known or not known else known[0]


def telling(overrides: Sequence[str], swept: Sequence[str]) -> list[str]:
    """The overrides of a run that tell it from the others of a sweep; without any, those that bear on its result."""
    typed = {text: text.lstrip("+").partition("=")[0] for text in overrides}
    found = [text for text, key in typed.items() if key in swept and key != PRUNE]
    return found or [
        text for text, key in typed.items() if PRUNE not in key and _group(key) not in (*IRRELEVANT, "paths")
    ]


def _group(key: str) -> str:
    return re.split(r"[.@/]", key)[0]


def _plain(node: Any) -> Any:
    """Containers whose references stay as they are."""
    return OmegaConf.to_container(node, resolve=False) if OmegaConf.is_config(node) else node


def sweep_name(name: Any, date: str) -> str:
    """The name of a sweep's folder: the one that was typed, or else the date.

    Raises:
        UsageError: if it is a path, which would lead to other folders.
    """
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
    """The folder of the run that `resume` names by itself or by one of its checkpoints.

    Raises:
        UsageError: if it is none, or if a link leads out of it.
    """
    path = Path(run)
    folder = path.parent.parent if path.is_file() and path.parent.name == "checkpoints" else path
    if not (folder / "config.yaml").is_file():
        raise UsageError(
            f"resume={run} is no run: give a run folder, which holds config.yaml and checkpoints/, such as "
            "logs/train/runs/DATE_TIME, or one of its checkpoints."
        )
    check_folder(folder)  # before Hydra opens the log
    return folder
