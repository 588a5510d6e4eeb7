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
from threading import Event, Thread
from typing import Any
from urllib.parse import urlparse

from lightning.pytorch import loggers
from lightning.pytorch.loggers.logger import rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only

from genlab.files import reason, warn_on_failure, write_text
from genlab.loggers.arguments import LONGEST, as_texts, check_arguments, clean_repository, import_wandb
from genlab.names import shorten
from genlab.redaction import redact_all

log = logging.getLogger(__name__)


class WandbLogger(loggers.WandbLogger):
    """Lightning's logger, offline at once where W&B has no key or can't be reached, so that no prompt ever waits.

    Where a run can't be begun in time it is offline too, and at its end it waits so long and no longer for what is
    still to be uploaded (`init_timeout` and `finish_timeout` of the settings, in seconds). What W&B would refuse is
    refused here, before training, by a UsageError; whatever else fails, the run goes on without it.

    The run's id is kept in `wandb_run_id.txt` in the run folder, so that a resumed run goes on in the same W&B run. A
    run in a group, as those of a sweep are, is named like its folder.

    Args:
        save_dir: folder of W&B's own files.
        run_dir: the run folder, if that is another.
        offline: record locally without asking for a key or the network.
        log_model: at the end, upload `best.ckpt` and `last.ckpt` as versions `best` and `last` of the artifact
            `model-ID`, ID being the run's; offline they are copied to W&B's own folder until then.
        settings: W&B's own, by name.
        **kwargs: for Lightning's logger and `wandb.init`: project, entity, name, group, job_type, tags, mode, ...
    """

    def __init__(
        self,
        save_dir: str,
        run_dir: str | None = None,
        offline: bool = False,
        log_model: bool = False,
        settings: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self._run_dir = Path(run_dir or save_dir)
        kwargs = as_texts(redact_all(kwargs))
        if kwargs.get("group") == self._run_dir.parent.name:  # the default, which is the sweep's name
            kwargs["group"] = shorten(kwargs["group"], LONGEST)
        if kwargs.get("group") and not (kwargs.get("name") or os.environ.get("WANDB_NAME")):
            kwargs["name"] = shorten(self._run_dir.name, LONGEST)
        if kwargs.get("fork_from") or kwargs.get("resume_from"):
            kwargs["resume"] = None  # Lightning says "allow", and W&B takes one of them
        check_arguments(kwargs, settings or {})
        settings = {"finish_timeout_raises": True, **clean_repository(), **(settings or {})}
        super().__init__(save_dir=save_dir, **kwargs, settings=settings)
        self._wandb_init.pop("anonymous", None)  # without effect, but W&B warns of it
        self._id = self._wandb_init["id"]
        self._asked = kwargs.get("mode") or settings.get("mode") or ("offline" if offline else None)
        self._is_begun = False
        self._log_model = log_model
        self._checkpoints: Path | None = None

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """W&B's run, begun at the first call: offline if the network fails, and disabled if the disk does too."""
        if not self._is_begun:
            self._is_begun = True
            self._begin()
        return self._experiment

    def _begin(self) -> None:
        mode, why = choose_mode(self._asked)
        attempts: list[str | None] = ["disabled"]
        if mode != "disabled":
            self._wandb_init["id"] = self._id = _run_id(self._run_dir, self._id)
            attempts = [*dict.fromkeys((mode, "offline")), "disabled"]
        for attempt in attempts:
            self._wandb_init["mode"] = attempt
            try:
                run = super().experiment
            except Exception as error:  # of W&B, of its network, of the disk
                why = reason(error)
                with suppress(Exception):
                    import_wandb().teardown(exit_code=0)  # its service would not give the run's id out again
                continue
            if attempt == "offline":
                pattern = f"{shlex.quote(str(Path(run.dir).parent.parent))}/offline-run-*"
                log.warning("W&B runs offline (%s). Upload this run later with: wandb sync %s", why, pattern)
            elif attempt == "disabled" != mode:
                log.warning("W&B records nothing of this run: %s.", why)
            return

    def finish(self) -> None:
        """End the W&B run, or the next job of a sweep would log into it; waits for the network as long as is set."""
        wandb = sys.modules.get("wandb")
        if wandb is None or wandb.run is None:
            return
        folder = Path(wandb.run.dir).parent
        if self._checkpoints:
            with warn_on_failure("W&B's copy of the checkpoints", Exception):
                self._log_checkpoints(wandb, self._checkpoints)
        try:
            wandb.finish()
        except Exception as error:
            command = shlex.join(["wandb", "sync", str(folder)])
            log.warning("W&B has not got all of this run (%s). Upload it with: %s", reason(error), command)

    def _log_checkpoints(self, wandb: Any, folder: Path) -> None:
        for name in ("best", "last"):  # the newest is `latest` too
            if (path := folder / f"{name}.ckpt").is_file():
                artifact = wandb.Artifact(f"model-{wandb.run.id}", type="model")
                artifact.add_file(str(path))
                wandb.run.log_artifact(artifact, aliases=[name])

    def keep_checkpoints(self, folder: Path) -> None:
        """Upload the checkpoints that lie in a folder at the end, if `log_model` says so."""
        self._checkpoints = folder if self._log_model else None

    @rank_zero_only
    def keep_minimum(self, key: str) -> None:
        """Let the run's summary hold the smallest value of a metric instead of the newest."""
        with warn_on_failure("W&B's minimum", Exception):
            self.experiment.define_metric(key, summary="min", step_metric="trainer/global_step")


def choose_mode(asked: str | None = None) -> tuple[str | None, str | None]:
    """W&B's mode and, if it is offline or disabled, why: so that no prompt and no network keeps a run waiting.

    The mode that is asked for wins over the variables WANDB_MODE and WANDB_DISABLED. None is online, unless W&B's own
    settings file says otherwise.
    """
    if asked is None and os.environ.get("WANDB_DISABLED", "").lower() in ("1", "true", "yes", "on"):
        return "disabled", "WANDB_DISABLED"
    said = asked or os.environ.get("WANDB_MODE")
    mode = {"dryrun": "offline", "run": "online"}.get(str(said), said)
    if mode in ("offline", "disabled"):
        return mode, "asked for" if asked else f"WANDB_MODE={said}"
    address = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai"))
    host = address.hostname or ""
    if not _has_key(host):
        return "offline", "no API key: set WANDB_API_KEY, or run `wandb login` once"
    if not _reachable(host, address.port or (80 if address.scheme == "http" else 443)):
        return "offline", f"{host} can't be reached"
    return mode, None


def _has_key(host: str) -> bool:
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    try:
        return netrc.netrc().authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _reachable(host: str, port: int, seconds: float = 3.0) -> bool:
    """Whether a connection opens in time. In a thread, since looking a name up has no time limit of its own."""
    opened = Event()

    def connect() -> None:
        with suppress(OSError):
            socket.create_connection((host, port), timeout=seconds).close()
            opened.set()

    thread = Thread(target=connect, daemon=True)
    thread.start()
    thread.join(seconds)
    return opened.is_set()


def _run_id(run_dir: Path, typed: str | None) -> str:
    """The id that is typed, or kept in the run folder; the first time that of an agent, or a new one. It is kept."""
    path = run_dir / "wandb_run_id.txt"
    stored = path.read_text(encoding="utf-8") if path.is_file() else ""
    new = typed or stored or os.environ.get("WANDB_RUN_ID") or secrets.token_hex(4)
    if new != stored:
        with warn_on_failure(path.name):
            write_text(path, new)
    return new
