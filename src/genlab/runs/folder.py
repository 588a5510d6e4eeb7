"""The run folder: its configuration, and `summary.json`, which says how the run fares."""

import json
import logging
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from filelock import FileLock, Timeout
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import OmegaConf

from genlab import faults
from genlab.errors import UsageError
from genlab.secrets import redacted_all

log = logging.getLogger(__name__)

_waiting: dict[Path, dict[str, Any]] = {}  # fields that the disk has not taken yet


@rank_zero_only
def open_run_folder(path: Path, config: dict[str, Any], again: bool = False) -> None:
    """Write the configuration into a run folder that holds no run yet, or whose run goes on.

    Args:
        path: the folder.
        config: the resolved configuration, without secrets.
        again: whether a run may be in it.

    Raises:
        UsageError: if there is a run in it already, or if nothing can be written there.
    """
    try:
        with faults.replacing(path / "config.yaml", shared=True) as unfinished:
            unfinished.write_text(OmegaConf.to_yaml(config))
            if not again:
                (path / "config.yaml").touch(exist_ok=False)
    except FileExistsError:
        raise UsageError(
            f"{path} already holds a run: choose another folder with hydra.run.dir=PATH (hydra.sweep.dir=PATH for a "
            "sweep), go on with it by resume=PATH, or remove it."
        ) from None
    except OSError as error:
        raise _unwritable(path, error) from error


@contextmanager
def taken(path: Path, seconds: float = 0) -> Iterator[None]:
    """Keep other commands from training in a run folder at the same time.

    The lock goes with the process that holds it, however that ends. Of a run's processes the first holds it.

    Args:
        path: the folder; it is made.
        seconds: how long to wait for a process that has been told to stop.

    Raises:
        UsageError: if another process keeps training there, or if nothing can be written there.
    """
    if getattr(rank_zero_only, "rank", 0) != 0:
        yield
        return
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path / ".lock")
        lock.acquire(timeout=seconds)
    except Timeout:
        raise UsageError(f"Another process is training in {path}: wait until it has ended, or stop it.") from None
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield
    finally:
        lock.release()


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"The run folder {path} can't be written to: {error}.")


@rank_zero_only
def update_summary(path: Path, **fields: Any) -> None:
    """Set fields of `summary.json` in a run folder, without secrets.

    Whoever reads it sees the old file or the new one, both whole. Fields that the disk does not take wait, and are
    written with the next ones that it takes.
    """
    write_summary(path, fields)


def write_summary(path: Path, fields: dict[str, Any]) -> None:
    """The same, on any process: if the first one is gone."""
    waiting = _waiting.setdefault(path, {})
    waiting |= redacted_all(fields)
    with faults.survived("summary.json"):
        with faults.replacing(path / "summary.json") as unfinished:
            unfinished.write_text(json.dumps(read_summary(path) | waiting, indent=2) + "\n")
        del _waiting[path]


def read_summary(path: Path) -> dict[str, Any]:
    """What `summary.json` of a run folder says so far; nothing where there is none, or a power cut has emptied it."""
    try:
        summary: dict[str, Any] = json.loads((path / "summary.json").read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        log.warning("%s is damaged (%s): it begins anew.", path / "summary.json", error)
        return {}
    return summary


@contextmanager
def recorded(path: Path, resumed: bool = False, **fields: Any) -> Iterator[dict[str, Any]]:
    """Record in `summary.json` that a run goes on and then how it ended; errors pass through.

    The traceback of an error goes to the log file alone: the entry script says what the user needs to know.

    Args:
        path: the run folder.
        resumed: whether the run has been going on before: then its seconds are added up, and errors are forgotten.
        **fields: what else is known of it.

    Yields:
        What to write if all goes well: its `status` is `completed`, unless it is changed.
    """
    now = datetime.now().astimezone().isoformat("T", "seconds")
    times: dict[str, Any] = {"started": now, "error": None}
    start = perf_counter()
    faults.forget()
    if resumed and (before := read_summary(path)):
        start -= before.get("seconds", before.get("training_seconds", 0) + before.get("evaluation_seconds", 0))
        times = {"resumed": [*before.get("resumed", []), now], "error": None}
    update_summary(path, status="running", **times, **fields, **_origin())

    def end(status: str, **fields: Any) -> None:
        update_summary(path, status=status, seconds=round(perf_counter() - start, 2), **fields)
        if missing := faults.missing():
            what = ", ".join(f"{name} ({reason})" for name, reason in missing.items())
            log.warning("The run is %s. Missing, or not of its end, as they can't be written: %s.", status, what)

    good = {"status": "completed"}
    try:
        yield good
    except Exception as error:
        end("failed", error=f"{type(error).__name__}: {error}")
        log.debug("The run failed", exc_info=True)
        raise
    except BaseException as error:  # KeyboardInterrupt, SystemExit
        end("interrupted", error=type(error).__name__)
        raise
    end(**good)


def _origin() -> dict[str, Any]:
    """Versions and the commit that a run came from."""
    packages = ("genlab", "torch", "lightning", "torchmetrics", "torch-fidelity")
    versions = {"python": platform.python_version(), **{name: _version(name) for name in packages}}
    return {"versions": versions, "git_commit": _git_commit()}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except ImportError:
        return None  # genlab itself, run from a clone that is not installed


def _git_commit() -> str | None:
    """Hash of the checked-out commit of this code, with "-dirty" if files differ from it; None outside of git."""
    command = [
        "git",
        "-C",
        str(Path(__file__).parent),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
        "--exclude=*",
    ]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
