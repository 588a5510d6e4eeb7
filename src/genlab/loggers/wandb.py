"""Weights & Biases that never keeps a run waiting."""

import logging
import netrc
import os
import secrets
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlparse

from lightning.pytorch import loggers
from lightning.pytorch.loggers.logger import rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only

from genlab.faults import reason, replacing, survived
from genlab.secrets import redacted, redacted_all

log = logging.getLogger(__name__)


class WandbLogger(loggers.WandbLogger):
    """Lightning's logger, offline at once where W&B has no key or can't be reached, so that no prompt ever waits.

    Where a run can't be begun in time it is offline too, and at its end it waits so long and no longer for what is
    still to be uploaded (`init_timeout` and `finish_timeout` of the settings, in seconds).

    The run's id is kept in `wandb_run_id.txt` in the run folder, so that a resumed run goes on in the same W&B run; an
    agent of a W&B sweep gives its own. A run in a group, as the cells of a sweep are, is named like its folder.

    Args:
        save_dir: the run folder.
        offline: record locally without asking for a key or the network.
        settings: W&B's own, by name.
        **kwargs: for Lightning's logger and `wandb.init`: project, entity, name, group, job_type, tags, ...
    """

    def __init__(
        self, save_dir: str, offline: bool = False, settings: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        why = "asked for" if offline else offline_reason()
        settings = {"finish_timeout_raises": True, **clean_repository(), **(settings or {})}
        kwargs = {**redacted_all(kwargs), "id": _run_id(Path(save_dir)), "settings": settings}
        if kwargs.get("group") and not kwargs.get("name"):
            kwargs["name"] = Path(save_dir).name
        super().__init__(save_dir=save_dir, offline=why is not None, **kwargs)
        if why:
            _say_offline(why, save_dir)

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """W&B's run, begun at the first call: offline if the network fails, and a dummy if the disk does too."""
        import wandb

        for instead in ("offline", "disabled"):
            try:
                return super().experiment
            except Exception as error:  # of W&B, of its network, of the disk
                wandb.teardown(exit_code=0)  # its service would not give the run's id out again
                self._wandb_init["mode"] = instead
                if instead == "offline":
                    _say_offline(reason(error), str(self.save_dir))
                else:
                    log.warning("W&B records nothing of this run: %s.", reason(error))
        return super().experiment

    def finish(self) -> None:
        """End the W&B run, or the next job of a sweep would log into it; waits for the network as long as is set."""
        import wandb

        if wandb.run is None:
            return
        folder = Path(wandb.run.dir).parent
        try:
            wandb.finish()
        except Exception as error:
            log.warning("W&B has not got all of this run (%s). Upload it with: wandb sync %s", reason(error), folder)

    @rank_zero_only
    def keep_minimum(self, key: str) -> None:
        """Let the run's summary hold the smallest value of a metric instead of the newest."""
        with survived("W&B's minimum", Exception):
            self.experiment.define_metric(key, summary="min", step_metric="trainer/global_step")


@rank_zero_only
def _say_offline(why: str, save_dir: str) -> None:
    log.warning("W&B runs offline (%s). Upload this run later with: wandb sync %s/wandb/offline-run-*", why, save_dir)


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


def clean_repository() -> dict[str, str]:
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
    """The id kept in the run folder; the first time that of an agent, or a new one, which is stored."""
    path = run_dir / "wandb_run_id.txt"
    if path.is_file() and (stored := path.read_text()):
        return stored
    new = os.environ.get("WANDB_RUN_ID") or secrets.token_hex(4)
    with survived(path.name), replacing(path) as unfinished:
        unfinished.write_text(new)
    return new
