"""`summary.json`, which says how a run fares. Imports nothing heavy."""

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from genlab import files
from genlab.foreign import Unreadable, is_number, printable, read_mapping
from genlab.redaction import redact_all

log = logging.getLogger(__name__)

KINDS: dict[str, type] = {  # of the fields that something is computed from, where they are set; float for any number
    **dict.fromkeys(("status", "error", "fingerprint"), str),
    **dict.fromkeys(("score", "metrics", "parameters"), dict),
    **dict.fromkeys(("resumed", "overrides"), list),
    **dict.fromkeys(("seconds", "training_seconds", "evaluation_seconds", "images_per_second"), float),
    **dict.fromkeys(("epochs", "steps", "images_seen"), float),
}

_waiting: dict[Path, dict[str, Any]] = {}  # fields that could not be written yet


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
        """Whether the run has come to its end."""
        return self.status in ("completed", "pruned")

    def is_settled(self, fingerprint: str | None) -> bool:
        """Whether a run of the configuration with this fingerprint has come to its end: there is nothing left to do."""
        return self.is_final and self.summary.get("fingerprint") == fingerprint


def read_outcome(run_dir: Path) -> Outcome:
    """Read how the run in a folder fares; never raises."""
    try:
        summary = _parse(run_dir)
    except Unreadable as reason:
        return Outcome("damaged", error=printable(f"{run_dir}: {reason}"))
    if not summary:
        return Outcome("new")
    score, error = (summary.get("score") or {}).get("value"), summary.get("error")
    status = summary.get("status") or "damaged"
    return Outcome(status, score if is_number(score) else None, error and printable(error), summary)


def read_summary(run_dir: Path) -> dict[str, Any]:
    """The fields that are written so far; none, and a warning, if the file is damaged.

    Raises:
        OSError: if the disk does not give the file, which must not be written anew then.
    """
    try:
        return _parse(run_dir)
    except Unreadable as error:
        if isinstance(error.__cause__, OSError):
            raise error.__cause__ from None
        log.warning("%s is damaged (%s): it begins anew.", run_dir / "summary.json", error)
        return {}


def write_summary(run_dir: Path, **fields: Any) -> None:
    """Set fields of `summary.json`, without secrets. What can't be written now is written by the next call."""
    waiting = _waiting.setdefault(run_dir, {})
    waiting |= {key: value if key == "status" else redact_all(value) for key, value in fields.items()}
    with files.warn_on_failure("summary.json"):
        files.write_json(run_dir / "summary.json", read_summary(run_dir) | waiting)
        del _waiting[run_dir]


def end_summary(run_dir: Path, status: str, error: str) -> bool:
    """Write how a run has ended, unless that is written already; return whether it was not."""
    with suppress(OSError):
        if read_summary(run_dir).get("status") != "running":
            return False
    write_summary(run_dir, status=status, error=error)
    return True


def _parse(run_dir: Path) -> dict[str, Any]:
    """The fields, of the kinds that they have; none without a file. Raise Unreadable if it is damaged."""
    path = run_dir / "summary.json"
    if not path.is_symlink() and not path.exists():
        return {}
    summary = read_mapping(run_dir, path.name, json.loads)
    for key, kind in KINDS.items():
        value = summary.get(key)
        if value is not None and not (is_number(value) if kind is float else type(value) is kind):
            raise Unreadable(f"summary.json can't be read: its {key} is {str(value)[:40]!r}")
    return summary
