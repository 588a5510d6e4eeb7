"""A cell of a sweep: its name, and how it fares."""

import copy
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from genlab.secrets import recordable, redacted

# What does not bear on the result: where a run lies, who is told of it, and how a sweep goes about it.
IRRELEVANT = ("hydra", "logger", "tags", "resume", "sweep", "retry_failed", "preflight")
PRUNE = "callbacks.prune"  # tells a search of the score, and belongs to the search
LONGEST = 150  # characters of a name before the hash; file systems take 255 bytes


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


def outcome(run_dir: Path) -> Outcome:
    """Read how the run in a folder fares."""
    file = run_dir / "summary.json"
    try:
        summary = json.loads(file.read_text())
        score = (summary.get("score") or {}).get("value")
        return Outcome(summary["status"], score, summary.get("error"), summary)
    except FileNotFoundError:
        return Outcome("new")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Outcome("damaged", error=f"{file} can't be read: {error}")


def fingerprint(config: DictConfig) -> str:
    """Return 8 hexadecimal digits that stand for all of a configuration that bears on the result.

    Args:
        config: as composed. Paths count by their names, so that moved folders change nothing.
    """
    config = copy.deepcopy(config)
    OmegaConf.set_readonly(config, False)
    OmegaConf.set_struct(config, False)
    config.paths = {name: name for name in config.get("paths", {})}
    if config.get("callbacks"):
        config.callbacks.pop(PRUNE.rpartition(".")[2], None)
    relevant = recordable(config, without=(*IRRELEVANT, "paths"))
    text = json.dumps(relevant, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def cell_name(*, _root_: DictConfig) -> str:
    """Name the folder of a cell by its overrides, groups first, as in `data-shapes_model-gan_1f0c2a3b`: a resolver."""
    typed = [text.lstrip("+") for text in _root_.hydra.overrides.task if PRUNE not in text.partition("=")[0]]
    typed.sort(key=lambda text: (text.partition("=")[0].count("."), text))
    relevant = [text for text in typed if re.split(r"[.=@/]", text)[0] not in (*IRRELEVANT, "paths")]
    readable = re.sub(r"[^\w.+-]+", "-", redacted("_".join(relevant))).strip("-")
    return f"{readable[:LONGEST] or 'cell'}_{fingerprint(_root_)}"


def register_resolvers() -> None:
    """Make `${cell:...}` and `${sweep_name:...}` known to OmegaConf."""
    OmegaConf.register_new_resolver("cell", cell_name, replace=True)
    OmegaConf.register_new_resolver("sweep_name", lambda name, date: name or date, replace=True)
