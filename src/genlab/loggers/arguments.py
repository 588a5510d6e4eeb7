"""What W&B is asked for, held against its own rules before training: it would refuse it in the middle of a start."""

import inspect
import os
import subprocess
from collections.abc import Mapping
from typing import Any

from lightning.pytorch import loggers

from genlab.errors import UsageError, nearest, unknown
from genlab.redaction import redact

SETTINGS = {  # arguments of `wandb.init` that are settings of another name
    "dir": "root_dir",
    "id": "run_id",
    "version": "run_id",
    "name": "run_name",
    "group": "run_group",
    "job_type": "run_job_type",
    "notes": "run_notes",
    "tags": "run_tags",
}
LONGEST = 128  # characters, says W&B's server, and not its settings, of these:
NAMES = ("name", "group", "job_type", "entity", "WANDB_NAME", "WANDB_RUN_GROUP", "WANDB_JOB_TYPE", "WANDB_ENTITY")
OURS = ("self", "kwargs", "experiment", "dir")  # not to be typed


def import_wandb() -> Any:
    """Import W&B; raises a UsageError if it is not there, or broken."""
    try:
        import wandb
    except Exception as error:
        raise UsageError(
            f"logger=wandb needs the package wandb, which can't be imported ({error}): type pip install 'wandb>=0.28', "
            "or leave logger=wandb out."
        ) from error
    return wandb


def as_texts(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments with numbers as texts where W&B takes texts alone, and a single tag as a list of one."""
    texts = {k: str(v) if k in SETTINGS and isinstance(v, int | float) else v for k, v in arguments.items()}
    if (tags := texts.get("tags")) is not None:
        texts["tags"] = [str(tag) for tag in ([tags] if isinstance(tags, str) else tags)]
    return texts


def check_arguments(arguments: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Raise a UsageError for the first argument, setting or variable that W&B does not take.

    Args:
        arguments: of Lightning's logger and of `wandb.init`, as texts.
        settings: W&B's own, by name.
    """
    wandb = import_wandb()
    functions = (wandb.init, loggers.WandbLogger.__init__)
    valid = {name for function in functions for name in inspect.signature(function).parameters} - {*OURS}
    fields = wandb.Settings.model_fields
    given: dict[str, Any] = {}
    for key, value in arguments.items():
        if key not in valid:
            raise UsageError(unknown("logger.wandb key", key, list(valid)))
        if value is not None and (name := SETTINGS.get(key, key)) in fields:
            given[name] = value  # with those before, as some have to fit together
            _try("tags" if key == "tags" else f"logger.wandb.{key}", key, value, given)
    for name, value in settings.items():
        if name not in fields and f"x{name}" not in fields:
            near = nearest(name, list(fields))
            raise UsageError(f"There is no logger.wandb.settings key {name!r}.{near} Valid: those of wandb.Settings.")
        _try(f"logger.wandb.settings.{name}", name, value, {name: value})
    for name, value in sorted(os.environ.items()):
        if name.startswith("WANDB_"):
            _try(f"the variable {name}", name, value, {}, {name: value})


def _try(what: str, key: str, value: Any, settings: dict[str, Any], environment: dict[str, str] | None = None) -> None:
    try:
        if key in NAMES and len(value) > LONGEST:
            raise ValueError(f"it has {len(value)} characters, and {LONGEST} is the most")
        import_wandb().Settings(**settings).update_from_env_vars(environment or {})
    except Exception as error:  # of pydantic, of W&B
        parts: list[Any] = getattr(error, "errors", list)()
        why = "; ".join(str(part["msg"]).removeprefix("Value error, ") for part in parts) or str(error)
        raise UsageError(f"W&B does not take {what}: {' '.join(why.split()).rstrip('.')}.") from error


def clean_repository() -> dict[str, str]:
    """Settings for a repository whose address holds a user or a secret; W&B takes away the password alone."""
    address, commit = (_git(*question) for question in (("config", "remote.origin.url"), ("rev-parse", "HEAD")))
    clean = redact(address)
    return {} if clean == address else {"git_remote_url": clean, "git_commit": commit}


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace").strip()
