"""Weights & Biases that never keeps a run waiting."""

import logging
import netrc
import os
import secrets
import shlex
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlparse

from lightning.pytorch import loggers
from lightning.pytorch.loggers.logger import rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only

from genlab.files import reason, warn_on_failure, write_text
from genlab.loggers.arguments import LONGEST, as_texts, check_arguments, clean_repository, import_wandb
from genlab.loggers.tolerant import Nothing
from genlab.names import shorten
from genlab.redaction import redact_all

log = logging.getLogger(__name__)


class WandbLogger(loggers.WandbLogger):
    """Lightning's logger, offline at once where W&B has no key or can't be reached, so that no prompt ever waits.

    Where a run can't be begun in time it is offline too, and at its end it waits so long and no longer for what is
    still to be uploaded (`init_timeout` and `finish_timeout` of the settings, in seconds). What W&B would refuse is
    refused here, before training; whatever else fails, the run goes on without it.

    The run's id is kept in `wandb_run_id.txt` in the run folder, so that a resumed run goes on in the same W&B run; one
    that is typed, or that an agent of a W&B sweep gives, takes its place. A run in a group, as the runs of a sweep
    are, is named like its folder.

    Args:
        save_dir: folder of W&B's own files.
        run_dir: the run folder, if that is another.
        offline: record locally without asking for a key or the network.
        settings: W&B's own, by name.
        **kwargs: for Lightning's logger and `wandb.init`: project, entity, name, group, job_type, tags, mode, ...

    Raises:
        UsageError: for what W&B does not take.
    """

    def __init__(
        self,
        save_dir: str,
        run_dir: str | None = None,
        offline: bool = False,
        settings: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self._run_dir = Path(run_dir or save_dir)
        kwargs = as_texts(redact_all(kwargs))
        if kwargs.get("group") == self._run_dir.parent.name:  # nobody has chosen it for W&B
            kwargs["group"] = shorten(kwargs["group"], LONGEST)
        if kwargs.get("group") and not (kwargs.get("name") or os.environ.get("WANDB_NAME")):
            kwargs["name"] = shorten(self._run_dir.name, LONGEST)
        if kwargs.get("fork_from") or kwargs.get("resume_from"):
            kwargs["resume"] = None  # Lightning says "allow", and W&B takes one of them
        check_arguments(kwargs, settings or {})
        settings = {"finish_timeout_raises": True, **clean_repository(), **(settings or {})}
        super().__init__(save_dir=save_dir, **kwargs, settings=settings)
        self._id = self._wandb_init["id"]
        self._mode, self._why_offline = choose_mode(kwargs.get("mode") or settings.get("mode"), offline)
        self._is_begun = False

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """W&B's run, begun at the first call: offline if the network fails, and nothing if the disk does too."""
        if not self._is_begun:
            self._is_begun = True
            self._begin()
        return self._experiment

    def _begin(self) -> None:
        mode, why = self._mode, self._why_offline
        if mode == "disabled":
            self._experiment = Nothing()  # type: ignore[assignment]
            return
        if mode != "offline" and (why := offline_reason()):
            mode = "offline"
        self._wandb_init["id"] = self._id = _run_id(self._run_dir, self._id)
        for attempt in dict.fromkeys((mode, "offline")):
            self._wandb_init["mode"] = attempt
            try:
                run = super().experiment
            except Exception as error:  # of W&B, of its network, of the disk
                why = reason(error)
                with suppress(Exception):
                    import_wandb().teardown(exit_code=0)  # its service would not give the run's id out again
            else:
                if attempt == "offline":
                    _say_offline(why or "", Path(run.dir).parent.parent)
                return
        log.warning("W&B records nothing of this run: %s.", why)
        self._experiment = Nothing()  # type: ignore[assignment]

    def finish(self) -> None:
        """End the W&B run, or the next job of a sweep would log into it; waits for the network as long as is set."""
        wandb = sys.modules.get("wandb")
        if wandb is None or wandb.run is None:
            return
        folder = Path(wandb.run.dir).parent
        try:
            wandb.finish()
        except Exception as error:
            command = shlex.join(["wandb", "sync", str(folder)])
            log.warning("W&B has not got all of this run (%s). Upload it with: %s", reason(error), command)

    @rank_zero_only
    def keep_minimum(self, key: str) -> None:
        """Let the run's summary hold the smallest value of a metric instead of the newest."""
        with warn_on_failure("W&B's minimum", Exception):
            self.experiment.define_metric(key, summary="min", step_metric="trainer/global_step")


def _say_offline(why: str, folder: Path) -> None:
    pattern = f"{shlex.quote(str(folder))}/offline-run-*"
    log.warning("W&B runs offline (%s). Upload this run later with: wandb sync %s", why, pattern)


def choose_mode(mode: str | None, offline: bool = False) -> tuple[str | None, str | None]:
    """W&B's mode and, if it is offline or disabled, why.

    Args:
        mode: what is typed; it wins over the variables WANDB_MODE and WANDB_DISABLED.
        offline: the same as the mode of that name.

    Returns:
        None where nobody has said anything: it is online, unless W&B's own settings file says otherwise.
    """
    asked = mode or ("offline" if offline else None)
    if asked is None and os.environ.get("WANDB_DISABLED", "").lower() in ("1", "true", "yes", "on"):
        return "disabled", "WANDB_DISABLED"
    said = asked or os.environ.get("WANDB_MODE")
    chosen = {"dryrun": "offline", "run": "online"}.get(str(said), said)
    return chosen, ("asked for" if asked else f"WANDB_MODE={said}") if chosen in ("offline", "disabled") else None


def offline_reason() -> str | None:
    """Why W&B has to run offline, or None: the user's WANDB_MODE, no key, or no connection within 3 seconds."""
    if why := choose_mode(None)[1]:
        return why
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


def _run_id(run_dir: Path, typed: str | None) -> str:
    """The id that is typed, or kept in the run folder; the first time that of an agent, or a new one. It is kept."""
    path = run_dir / "wandb_run_id.txt"
    stored = path.read_text(encoding="utf-8") if path.is_file() else ""
    new = typed or stored or os.environ.get("WANDB_RUN_ID") or secrets.token_hex(4)
    if new != stored:
        with warn_on_failure(path.name):
            write_text(path, new)
    return new
