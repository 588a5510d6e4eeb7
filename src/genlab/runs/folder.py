"""The run folder: its configuration, and `summary.json`, which says how the run fares."""

import json
import logging
import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from genlab.errors import UsageError

log = logging.getLogger(__name__)


@rank_zero_only
def open_run_folder(path: Path, config: DictConfig) -> None:
    """Write the resolved configuration into a run folder that holds no run yet.

    Raises:
        UsageError: if there is a run in it already.
    """
    path.mkdir(parents=True, exist_ok=True)
    try:
        with (path / "config.yaml").open("x") as file:
            file.write(OmegaConf.to_yaml(config, resolve=True))
    except FileExistsError:
        raise UsageError(
            f"{path} already holds a run: choose another folder with hydra.run.dir=PATH (hydra.sweep.dir=PATH for a "
            "sweep), or remove it."
        ) from None


@rank_zero_only
def update_summary(path: Path, **fields: Any) -> None:
    """Set fields of `summary.json` in a run folder. Whoever reads it sees the old file or the new one, both whole."""
    file = path / "summary.json"
    summary = json.loads(file.read_text()) if file.is_file() else {}
    unfinished = file.with_name(f"summary.{os.getpid()}.tmp")
    unfinished.write_text(json.dumps(summary | fields, indent=2) + "\n")
    unfinished.replace(file)


@contextmanager
def recorded(path: Path) -> Iterator[None]:
    """Record in `summary.json` that a run goes on and then how it ended; errors pass through.

    The traceback of an error goes to the log file alone: the entry script says what the user needs to know.
    """
    start = perf_counter()
    update_summary(path, status="running", started=datetime.now().astimezone().isoformat("T", "seconds"), **_origin())

    def end(status: str, **fields: Any) -> None:
        update_summary(path, status=status, seconds=round(perf_counter() - start, 2), **fields)

    try:
        yield
    except Exception as error:
        end("failed", error=f"{type(error).__name__}: {error}")
        log.debug("The run failed", exc_info=True)
        raise
    except BaseException as error:  # KeyboardInterrupt, SystemExit
        end("interrupted", error=type(error).__name__)
        raise
    end("completed")


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
