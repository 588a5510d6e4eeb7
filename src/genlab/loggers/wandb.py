"""Weights & Biases that never keeps a run waiting."""

import logging
import netrc
import os
import secrets
import socket
import subprocess
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlparse

from lightning.pytorch import loggers
from lightning.pytorch.utilities import rank_zero_only

from genlab.secrets import redacted, redacted_all

log = logging.getLogger(__name__)


class WandbLogger(loggers.WandbLogger):
    """Lightning's logger, offline at once where W&B has no key or can't be reached, so that no prompt ever waits.

    The run's id is kept in `wandb_run_id.txt` in the run folder, so that a resumed run goes on in the same W&B run.

    Args:
        save_dir: the run folder.
        offline: record locally without asking for a key or the network.
        **kwargs: for Lightning's logger and `wandb.init`: project, entity, name, group, job_type, tags, ...
    """

    def __init__(self, save_dir: str, offline: bool = False, **kwargs: Any) -> None:
        reason = "asked for" if offline else offline_reason()
        kwargs = redacted_all(kwargs)
        kwargs["settings"] = _repository() | dict(kwargs.get("settings") or {})
        super().__init__(save_dir=save_dir, offline=reason is not None, id=_run_id(Path(save_dir)), **kwargs)
        if reason:
            _say_offline(reason, save_dir)

    @rank_zero_only
    def keep_minimum(self, key: str) -> None:
        """Let the run's summary hold the smallest value of a metric instead of the newest."""
        self.experiment.define_metric(key, summary="min", step_metric="trainer/global_step")


@rank_zero_only
def _say_offline(reason: str, save_dir: str) -> None:
    log.warning(
        "W&B runs offline (%s). Upload this run later with: wandb sync %s/wandb/offline-run-*",
        reason,
        save_dir,
    )


def offline_reason() -> str | None:
    """Why W&B has to run offline, or None: the user's WANDB_MODE, no key, or no connection within 3 seconds."""
    if os.environ.get("WANDB_MODE", "online") not in ("online", "shared"):
        return f"WANDB_MODE={os.environ['WANDB_MODE']}"
    address = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai"))
    host = address.hostname or ""
    if not _has_key(host):
        return "no API key: set WANDB_API_KEY, or run `wandb login` once"
    port = address.port or (80 if address.scheme == "http" else 443)
    return None if _reachable(host, port) else f"{host} can't be reached"


def _has_key(host: str) -> bool:
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    try:
        return netrc.netrc().authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _reachable(host: str, port: int, seconds: float = 3.0) -> bool:
    """Whether a connection opens in time. In a thread, since looking a name up has no time limit of its own."""
    opened: list[bool] = []

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=seconds).close()
            opened.append(True)
        except OSError:
            pass

    thread = Thread(target=connect, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(opened)


def _repository() -> dict[str, str]:
    """Settings for a repository whose address holds a user or a secret; W&B takes away the password alone."""
    address, commit = (_git(*question) for question in (("config", "remote.origin.url"), ("rev-parse", "HEAD")))
    clean = redacted(address)
    return {} if clean == address else {"git_remote_url": clean, "git_commit": commit}


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _run_id(run_dir: Path) -> str:
    """The id kept in the run folder; a new one, which is stored, the first time."""
    path = run_dir / "wandb_run_id.txt"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(secrets.token_hex(4))
    return path.read_text()
