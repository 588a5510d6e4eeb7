"""What the entry scripts share: the .env file, and errors in one sentence. Imports nothing heavy."""

import gc
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from dotenv import load_dotenv
from hydra._internal.hydra import Hydra
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from hydra.utils import get_method
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from genlab.command_line import read_arguments, read_environment
from genlab.config.record import record
from genlab.console import protect_output
from genlab.errors import UsageError, one_line
from genlab.foreign import texts_below
from genlab.interrupts import explained_by_signals
from genlab.redaction import CONFIGS, redact
from genlab.run.identity import register_resolvers, run_folder
from genlab.sentences import refused_override, sentence
from genlab.sweeps.report_hook import report_sweep

USER_ERRORS = (UsageError, HydraException, OmegaConfBaseException)

log = logging.getLogger(__name__)

begun: list[str] = []  # tasks that Hydra has begun, for which it has made a folder


def options(group: str) -> str:
    """The options of a group of configurations, as --help lists them: a resolver."""
    return ", ".join(GlobalHydra.instance().config_loader().get_group_options(group))


def run_dir(resume: str | None, new: str) -> str:
    """The folder of the run that `resume` names, or a new one: a resolver."""
    return new if resume in (None, "auto") else str(run_folder(resume))


# Hydra copies its store once for each group of configurations that --help lists, which is half of the time it takes;
# what is loaded from the store is a copy anyway (read in Hydra 1.3.8).
ConfigStore.__deepcopy__ = lambda store, memo: store  # type: ignore[attr-defined]

_composed_mode = Hydra.get_mode


def _mode(self: Hydra, config_name: str | None, overrides: list[str]) -> Any:
    """What `hydra.mode` is: Hydra composes a whole configuration to know, also where nothing sets it (Hydra 1.3.8)."""
    folders = {source.path for source in self.config_loader.get_sources() if source.scheme() == "file"}
    is_typed = any("hydra.mode" in override or "hydra.searchpath" in override for override in overrides)
    if folders == {str(CONFIGS)} and not is_typed:
        files = (file for file in CONFIGS.rglob("*.yaml") if file.is_file())
        if not any(b"MULTIRUN" in file.read_bytes() for file in files):  # as an experiment may say
            return None
    return _composed_mode(self, config_name, overrides)


Hydra.get_mode = _mode  # type: ignore[method-assign]

register_resolvers()  # before Hydra composes
OmegaConf.register_new_resolver("options", options, replace=True)
OmegaConf.register_new_resolver("run_dir", run_dir, replace=True)


def command(config_name: str, task: str, lists: str = "") -> Callable[[], None]:
    """The main function of an entry script: Hydra composes the configuration from what was typed, for a task.

    `.env` is read first. What can't work ends with one sentence and exit code 1; errors that are not the user's keep
    their traceback. No secret is printed, nor recorded by Hydra.

    Args:
        config_name: of the file in `configs/`.
        task: where the function is that takes the configuration. It is imported once that is there, so that --help,
            which needs no torch, answers at once.
        lists: keys that take several values with commas between them, which Hydra would take for a sweep; with spaces
            between the keys.
    """
    run = hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name=config_name)(explain_errors(task))

    def main() -> None:
        os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands errors over to us instead of printing them itself
        try:
            _read_environment()
            sys.argv[1:] = read_arguments([_without_secrets(argument) for argument in sys.argv[1:]], lists)
            with explained_by_signals(), report_sweep():
                run()
        except KeyboardInterrupt:
            sys.exit(130)
        except USER_ERRORS as error:
            sys.exit(f"error: {sentence(error)}")
        except Exception as error:
            said = refused_override(error)
            if isinstance(error, OSError):
                said = f"the run's folder can't be written to: {one_line(error)}."
            if begun or said is None:
                raise
            sys.exit(f"error: {said}")

    return main


def _read_environment() -> None:
    protect_output()
    file = Path.cwd() / ".env"
    try:
        load_dotenv(file, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{file} can't be read ({one_line(error)}): it takes lines of NAME=VALUE, in UTF-8."
        ) from error
    read_environment()


def _without_secrets(argument: str) -> str:
    """What was typed, with references in the place of secrets in its value."""
    key, is_set, value = argument.partition("=")
    return argument if argument.startswith("-") else key + is_set + record(value)


@contextmanager
def _all_stays() -> Iterator[None]:
    """Look for no garbage while modules are imported, nor later among what they have made: that takes as long as a
    fifth of the imports.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def explain_errors(task: str) -> Callable[[DictConfig], Any]:
    """Have a wrong input of a task end a single run with its sentence alone.

    In a sweep of another launcher than ours it is logged and passed on: Hydra goes on with the next run, and names the
    first failure at the end. Their processes have not come through the entry point, and their errors go into files.
    """

    def run_task(cfg: DictConfig) -> Any:
        begun.append(task)
        _read_environment()
        try:
            for key, value in texts_below(OmegaConf.to_container(cfg), ""):
                if value == "???":
                    raise UsageError(f"{key[1:]} is missing: type {key[1:]}=VALUE (--help shows examples).")
            with _all_stays():
                run = get_method(task)
            return run(cfg)
        except Exception as error:
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                log.error("This run failed: %s", sentence(error))
                if redact(str(error)) != str(error):
                    raise UsageError(redact(sentence(error))) from None
            elif isinstance(error, USER_ERRORS):
                sys.exit(f"error: {sentence(error)}")
            raise

    return run_task
