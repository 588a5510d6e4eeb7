"""The run folder: its configuration, its lock, and what its summary says from the start to the end."""

import logging
import platform
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Any

from lightning.pytorch.utilities import rank_zero_only
from omegaconf import OmegaConf

from genlab import files
from genlab.command_line import typed
from genlab.errors import UsageError
from genlab.locks import lock_file
from genlab.run.summary import read_summary, write_summary

log = logging.getLogger(__name__)

PACKAGES = ("genlab", "torch", "lightning", "torchmetrics", "torch-fidelity")

update_summary = rank_zero_only(write_summary)


@rank_zero_only
def open_run_folder(path: Path, config: dict[str, Any], again: bool = False) -> None:
    """Write the configuration, as it is recorded, into a run folder.

    Raises:
        UsageError: if there is a run in it already (unless `again`), or if nothing can be written there.
    """
    try:
        if not again and (path / "config.yaml").exists():
            raise UsageError(
                f"{path} already holds a run: choose another folder with hydra.run.dir=PATH (hydra.sweep.dir=PATH for "
                f"a sweep), go on with it by {typed('resume', path)}, or remove it."
            )
        files.write_text(path / "config.yaml", OmegaConf.to_yaml(config))
    except OSError as error:
        raise _unwritable(path, error) from error


@contextmanager
def lock_run(path: Path, seconds: float = 0) -> Iterator[None]:
    """Make a run folder and keep other commands from training in it. Of a run's processes the first holds the lock.

    Raises:
        UsageError: if another process still trains there after some seconds, or if nothing can be written there.
    """
    busy = f"Another process is training in {path}: wait until it has ended, or stop it."
    with ExitStack() as held:
        try:
            if _is_first_process():
                path.mkdir(parents=True, exist_ok=True)
                held.enter_context(lock_file(path / ".lock", busy, seconds))
        except OSError as error:
            raise _unwritable(path, error) from error
        yield


def _is_first_process() -> bool:
    return getattr(rank_zero_only, "rank", 0) == 0


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"The run folder {path} can't be written to: {error}.")


@contextmanager
def put_back_unless(begun: Callable[[], bool], path: Path) -> Iterator[None]:
    """Put a run's configuration and summary back after an error, unless training has begun before it."""
    present = [path / name for name in ("config.yaml", "summary.json") if (path / name).is_file()]
    kept = {file: file.read_bytes() for file in present if _is_first_process()}
    try:
        yield
    except BaseException:
        for file, content in kept.items() if not begun() else ():
            files.write_bytes(file, content)
        raise


@contextmanager
def record_run(path: Path, resumed: bool = False, **fields: Any) -> Iterator[dict[str, Any]]:
    """Record in `summary.json` that a run goes on and then how it ended; errors pass through.

    Args:
        path: the run folder.
        resumed: whether its seconds are added to those before.
        **fields: what else is known of it.

    Yields:
        What to write if all goes well: its `status` is `completed`, unless it is changed.
    """
    now = datetime.now().astimezone().isoformat("T", "seconds")
    times: dict[str, Any] = {"started": now}
    start = perf_counter()
    files.forget()
    if resumed and (before := read_summary(path)):
        parts = (before.get(key) or 0 for key in ("training_seconds", "evaluation_seconds"))
        start -= before.get("seconds") or sum(parts)
        times = {"resumed": [*(before.get("resumed") or []), now]}
    versions = {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}
    origin = {"versions": versions, "git_commit": _git_commit()}
    update_summary(path, status="running", **times, error=None, **fields, **origin)

    def end(status: str, **fields: Any) -> None:
        update_summary(path, status=status, seconds=round(perf_counter() - start, 2), **fields)
        if missing := files.missing():
            what = ", ".join(f"{name} ({reason})" for name, reason in missing.items())
            log.warning("The run is %s. Missing, or not of its end, as they can't be written: %s.", status, what)

    good = {"status": "completed"}
    try:
        yield good
    except Exception as error:
        end("failed", error=f"{type(error).__name__}: {error}")
        log.debug("The run failed", exc_info=True)  # for the log file; the command prints a sentence
        raise
    except BaseException as error:  # KeyboardInterrupt, SystemExit
        end("interrupted", error=_interruption(error))
        raise
    end(**good)


def _interruption(error: BaseException) -> str:
    """The name of the signal that has ended a run, if one has."""
    number = error.code - 128 if isinstance(error, SystemExit) and isinstance(error.code, int) else 0
    return signal.Signals(number).name if number in set(signal.Signals) else type(error).__name__


def _version(package: str) -> str | None:
    with suppress(PackageNotFoundError):  # genlab itself, run from a clone that is not installed
        return version(package)
    return None


def _git_commit() -> str | None:
    """Hash of the checked-out commit of this code, with "-dirty" if files differ from it; None outside of git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, check=True, timeout=10)
        return done.stdout.decode().strip()
    except (OSError, subprocess.SubprocessError):
        return None
