"""What the entry scripts share: the .env file, and errors in one sentence. Imports nothing heavy."""

import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationResolutionError,
    OmegaConfBaseException,
)

from genlab.errors import UsageError, unknown
from genlab.secrets import Stream, load_environment, referring
from genlab.sweeps.cell import register_resolvers
from genlab.sweeps.ending import swept

USER_ERRORS = (UsageError, HydraException, OmegaConfBaseException)

UNSET = re.compile("Environment variable '(.+)' not found")  # OmegaConf says so

EXTRAS = {  # launchers of other packages, and the extras of pyproject.toml that bring them
    "hydra/launcher/submitit_slurm": "slurm",
    "hydra/launcher/submitit_local": "slurm",
    "hydra/launcher/joblib": "joblib",
    "hydra/launcher/ray": "ray",
}

log = logging.getLogger(__name__)

register_resolvers()  # before Hydra composes

begun: list[Any] = []  # the jobs that Hydra has begun, for which it has made a folder


def entry_point(main: Callable[[], Any]) -> Callable[[], None]:
    """Wrap a Hydra main: reads `.env` first, and ends with a sentence and exit code 1 when the input can't work.

    Errors that are not the user's keep their traceback. No secret is printed, nor seen by whoever looks at `sys.argv`.
    """

    @wraps(main)
    def wrapped() -> None:
        load_environment(Path.cwd() / ".env")
        sys.stdout, sys.stderr = Stream(sys.stdout), Stream(sys.stderr)
        sys.argv[1:] = [argument if argument.startswith("-") else referring(argument) for argument in sys.argv[1:]]
        os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands errors over to us instead of printing them itself
        try:
            with swept():
                main()
        except USER_ERRORS as error:
            sys.exit(f"error: {sentence(error)}")
        except OSError as error:
            if begun:
                raise
            sys.exit(f"error: the run's folder can't be written to: {_one_line(error)}.")  # Hydra makes it

    return wrapped


def several(key: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Let `key=A,B` on the command line be a list, which Hydra would take for a sweep."""

    def wrap(main: Callable[[], Any]) -> Callable[[], Any]:
        @wraps(main)
        def wrapped() -> Any:
            plain = re.compile(rf"{key}=([^\[\]'\"]*,[^\[\]'\"]*)")
            sys.argv[1:] = [plain.sub(rf"{key}=[\1]", a) if plain.fullmatch(a) else a for a in sys.argv[1:]]
            return main()

        return wrapped

    return wrap


def resumable(main: Callable[[], Any]) -> Callable[[], Any]:
    """Let a run that `resume=RUN` names go on in its own folder, the log included."""

    @wraps(main)
    def wrapped() -> Any:
        for argument in sys.argv[1:]:
            key, _, value = argument.partition("=")
            if key.lstrip("+") == "resume" and value not in ("auto", "null", ""):
                run = OmegaConf.create({"run": value.strip("'\"")}).run  # it may refer to the environment
                folder = str(run_folder(run)).replace("'", r"\'")
                sys.argv.append(f"hydra.run.dir='{folder}'")
        return main()

    return wrapped


def run_folder(run: str) -> Path:
    """The folder of the run that `resume` names by itself or by one of its checkpoints.

    Raises:
        UsageError: if it is none.
    """
    path = Path(run)
    folder = path.parent.parent if path.is_file() and path.parent.name == "checkpoints" else path
    if not (folder / "config.yaml").is_file():
        raise UsageError(
            f"resume={run} is no run: give a run folder, which holds config.yaml and checkpoints/, such as "
            "logs/train/runs/DATE_TIME, or one of its checkpoints."
        )
    return folder


def job(task: Callable[[DictConfig], Any]) -> Callable[[DictConfig], Any]:
    """Wrap what runs inside of Hydra, so that a wrong input ends a single run with its sentence alone.

    In a sweep of another launcher than ours it is logged and passed on: Hydra goes on with the next cell, and names the
    first failure at the end.
    """

    @wraps(task)
    def wrapped(cfg: DictConfig) -> Any:
        begun.append(task)
        try:
            for key in _missing(OmegaConf.to_container(cfg)):
                raise UsageError(f"{key} is missing: type {key}=VALUE (--help shows examples).")
            return task(cfg)
        except Exception as error:
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                log.error("This cell failed: %s", sentence(error))
            elif isinstance(error, USER_ERRORS):
                sys.exit(f"error: {sentence(error)}")
            raise

    return wrapped


def _missing(node: Any, way: str = "") -> Iterator[str]:
    """Keys without a value. (OmegaConf's own `missing_keys` fails where another key refers to one of them.)"""
    for key, value in node.items() if isinstance(node, dict) else ():
        if value == "???":
            yield f"{way}{key}"
        yield from _missing(value, f"{way}{key}.")


class ConsoleHandler(logging.StreamHandler):
    """Logs to whatever `sys.stdout` is at that moment, so that lines appear above a live progress bar."""

    @property
    def stream(self) -> Any:
        """The stream; logging's own handler keeps the one of its creation."""
        return sys.stdout

    @stream.setter
    def stream(self, value: Any) -> None:
        pass


class LogFile(logging.FileHandler):
    """A log file that says once that it can't be written; logging's own prints a traceback at every line."""

    _said = False

    def handleError(self, record: logging.LogRecord) -> None:
        """Say it."""
        if not self._said:
            self._said = True
            print(f"{self.baseFilename} can't be written ({sys.exc_info()[1]}): the run goes on.", file=sys.stderr)


def sentence(error: Exception) -> str:
    """Say in one sentence what is wrong with an input."""
    if isinstance(error, MissingConfigException) and str(error.missing_cfg_file) in EXTRAS:
        extra = EXTRAS[str(error.missing_cfg_file)]
        return f'{error.missing_cfg_file} needs a package that is not installed: type pip install -e ".[{extra}]".'
    if isinstance(error, MissingConfigException) and error.options:
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        return unknown(group, name, list(error.options))
    if isinstance(error, OverrideParseException):
        return (
            f"{error.override!r} can't be read as key=value: {_one_line(error)} Quote values with special characters."
        )
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    if isinstance(cause, InterpolationResolutionError) and (unset := UNSET.search(str(cause))):
        return f"{cause.full_key} is read from the environment variable {unset[1]}, which is not set: set it in .env."
    if isinstance(cause, ConfigAttributeError | ConfigKeyError) and isinstance(cause.parent_node, DictConfig):
        group, _, name = str(cause.full_key).rpartition(".")
        return unknown(f"{group} key".strip(), name, [str(key) for key in cause.parent_node])
    return _one_line(error)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
