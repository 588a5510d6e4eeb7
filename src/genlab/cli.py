"""What the entry scripts share: the .env file, and errors in one sentence. Imports nothing heavy."""

import logging
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from dotenv import load_dotenv
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf.errors import OmegaConfBaseException

from genlab.errors import UsageError, unknown

log = logging.getLogger(__name__)


def entry_point(main: Callable[[], Any]) -> Callable[[], None]:
    """Wrap a Hydra main: reads `.env` first, and ends with a sentence and exit code 1 when the input can't work.

    Errors that are not the user's keep their traceback.
    """

    @wraps(main)
    def wrapped() -> None:
        load_dotenv(Path.cwd() / ".env")
        os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands errors over to us instead of printing them itself
        try:
            main()
        except (UsageError, HydraException, OmegaConfBaseException) as error:
            sys.exit(f"error: {sentence(error)}")

    return wrapped


def failures_logged(task: Callable[[], Any]) -> Any:
    """Run one job; in a sweep its error is logged at once, since Hydra would name only the first, at the very end."""
    try:
        return task()
    except Exception as error:
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            log.error("This cell failed, the sweep goes on: %s", sentence(error))
        raise


def sentence(error: Exception) -> str:
    """Say in one sentence what is wrong with an input."""
    if isinstance(error, MissingConfigException) and error.options:
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        return unknown(f"option of {group}", name, list(error.options))
    cause = error.__cause__ or error
    if isinstance(cause, OmegaConfBaseException) and cause.full_key and hasattr(cause.parent_node, "keys"):
        group, _, name = str(cause.full_key).rpartition(".")
        valid = [str(key) for key in cause.parent_node.keys()]  # noqa: SIM118  # a config, not a dict
        return unknown(f"key in {group or 'the config'}", name, valid)
    return " ".join(str(error).split())
