"""`summary.json`, which says how a run fares. Imports nothing heavy."""

import json
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

from genlab import files
from genlab.foreign import Unreadable, is_number, read_mapping
from genlab.plain import to_json
from genlab.redaction import redact_all

log = logging.getLogger(__name__)

KINDS: dict[str, type] = {  # of the fields that somebody computes with, if they are there; float for any number
    **dict.fromkeys(("status", "error", "fingerprint"), str),
    **dict.fromkeys(("score", "metrics", "parameters"), dict),
    **dict.fromkeys(("resumed", "overrides"), list),
    **dict.fromkeys(("seconds", "training_seconds", "evaluation_seconds", "images_per_second"), float),
    **dict.fromkeys(("epochs", "steps", "images_seen"), float),
}

_waiting: dict[Path, dict[str, Any]] = {}  # fields that the disk has not taken yet


def write_summary(path: Path, fields: dict[str, Any]) -> None:
    """Set fields of `summary.json` in a run folder, without secrets.

    Whoever reads it sees the old file or the new one, both whole. Fields that the disk does not take wait, and are
    written with the next ones that it takes.
    """
    waiting = _waiting.setdefault(path, {})
    waiting |= {key: value if key == "status" else redact_all(value) for key, value in fields.items()}
    with files.warn_on_failure("summary.json"):
        files.write_text(path / "summary.json", to_json(read_summary(path) | waiting))
        del _waiting[path]


def end_summary(path: Path, status: str, error: str) -> bool:
    """Write how a run has ended, unless that has been told already; return whether it was not."""
    with suppress(OSError):  # nobody knows
        if read_summary(path).get("status") != "running":
            return False
    write_summary(path, {"status": status, "error": error})
    return True


def read_summary(path: Path) -> dict[str, Any]:
    """What `summary.json` of a run folder says so far; nothing where there is none, or it is damaged.

    Raises:
        OSError: if the disk does not give it, so that nothing is known of it.
    """
    try:
        return parse_summary(path)
    except Unreadable as error:
        if isinstance(error.__cause__, OSError):
            raise error.__cause__ from None
        log.warning("%s is damaged (%s): it begins anew.", path / "summary.json", error)
        return {}


def parse_summary(path: Path) -> dict[str, Any]:
    """What `summary.json` of a run folder says: plain containers, its fields of the kinds that they have. It may come
    from anybody. Nothing where there is none.

    Raises:
        Unreadable: if it is damaged, or no regular file of that folder, or can't be read.
    """
    if not (path / "summary.json").is_symlink() and not (path / "summary.json").exists():
        return {}
    summary = read_mapping(path, "summary.json", json.loads)
    for key, kind in KINDS.items():
        if (value := summary.get(key)) is not None and not (is_number(value) if kind is float else type(value) is kind):
            raise Unreadable(f"summary.json can't be read: its {key} is {str(value)[:40]!r}")
    return summary
