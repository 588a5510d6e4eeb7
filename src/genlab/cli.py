"""What the entry scripts share: the .env file, and errors in one sentence. Imports nothing heavy."""

import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import hydra
from dotenv import load_dotenv
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from genlab.command_line import quoted, read_arguments, read_environment, setting_value
from genlab.config.record import record
from genlab.console import keep_printing
from genlab.errors import UsageError
from genlab.interrupts import explained_by_signals
from genlab.redaction import CONFIGS, redact, redact_output
from genlab.run.identity import register_resolvers, run_folder
from genlab.sentences import one_line, refused_override, sentence
from genlab.sweeps.report_hook import report_sweep

Task = Callable[[DictConfig], Any]

USER_ERRORS = (UsageError, HydraException, OmegaConfBaseException)

log = logging.getLogger(__name__)


def options(group: str) -> str:
    """The options of a group of configurations, as --help lists them: a resolver."""
    return ", ".join(GlobalHydra.instance().config_loader().get_group_options(group))


register_resolvers()  # before Hydra composes
OmegaConf.register_new_resolver("options", options, replace=True)

begun: list[Any] = []  # the jobs that Hydra has begun, for which it has made a folder


def command(config_name: str, lists: str = "", resumes: bool = False) -> Callable[[Task], Callable[[], None]]:
    """Make an entry script's main function of a task: Hydra composes its configuration from what was typed.

    `.env` is read first. What can't work ends with one sentence and exit code 1; errors that are not the user's keep
    their traceback. No secret is printed, nor seen by whoever looks at `sys.argv`.

    Args:
        config_name: of the file in `configs/`.
        lists: a key that takes several values with commas between them, which Hydra would take for a sweep.
        resumes: whether `resume=RUN` has the command go on in that run's folder.
    """

    def wrap(task: Task) -> Callable[[], None]:
        run = hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name=config_name)(explain_errors(task))

        @wraps(task)
        def main() -> None:
            keep_printing()
            os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands errors over to us instead of printing them itself
            try:
                _read_environment()
                arguments = read_arguments([_recordable(argument) for argument in sys.argv[1:]])
                if lists:
                    arguments = [_as_list(lists, argument) for argument in arguments]
                sys.argv[1:] = _resumed(arguments) if resumes else arguments
                with explained_by_signals(), report_sweep():
                    run()
            except KeyboardInterrupt:
                sys.exit(130)
            except USER_ERRORS as error:
                sys.exit(f"error: {sentence(error)}")
            except OSError as error:
                if begun:
                    raise
                sys.exit(f"error: the run's folder can't be written to: {one_line(error)}.")  # Hydra makes it
            except Exception as error:
                if begun or (refused := refused_override(error)) is None:
                    raise
                sys.exit(f"error: {refused}")

        return main

    return wrap


def _read_environment() -> None:
    redact_output()
    file = Path.cwd() / ".env"
    try:
        load_dotenv(file, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{file} can't be read ({one_line(error)}): it takes lines of NAME=VALUE, in UTF-8."
        ) from error
    read_environment()


def _recordable(argument: str) -> str:
    """What is typed is recorded: in its value references stand in the place of secrets."""
    key, is_set, value = argument.partition("=")
    return argument if argument.startswith("-") else key + is_set + record(value)


def _as_list(key: str, argument: str) -> str:
    """`key=[A,B]` for `key=A,B`."""
    one = r"""(?:'(?:\\.|[^'\\])*'|[^\[\]'",]+)"""  # quoted, or plain
    found = re.fullmatch(rf"{key}=({one}(?:,{one})+)", argument)
    return f"{key}=[{found[1]}]" if found else argument


def _resumed(arguments: list[str]) -> list[str]:
    """Have a run that `resume=RUN` names go on in its own folder, the log included, and let its data lie elsewhere.

    Hydra composes the default data set, which may not have the keys of the run's own: they are added there.
    """
    for argument in arguments:
        run = setting_value(argument) if argument.lstrip("+").startswith("resume=") else None
        if isinstance(run, str) and run != "auto":
            run = OmegaConf.create({"run": run}).run  # it may refer to the environment
            typed = [f"++{typed}" if typed.startswith("data.") else typed for typed in arguments]
            return [*typed, f"hydra.run.dir={quoted(run_folder(run))}"]
    return arguments


def explain_errors(task: Task) -> Task:
    """Wrap what runs inside of Hydra, so that a wrong input ends a single run with its sentence alone.

    In a sweep of another launcher than ours it is logged and passed on: Hydra goes on with the next run, and names the
    first failure at the end. Their processes have not come through the entry point, and their errors go into files.
    """

    @wraps(task)
    def wrapped(cfg: DictConfig) -> Any:
        begun.append(task)
        _read_environment()
        try:
            for key in _missing(OmegaConf.to_container(cfg)):
                raise UsageError(f"{key} is missing: type {key}=VALUE (--help shows examples).")
            return task(cfg)
        except Exception as error:
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                log.error("This run failed: %s", sentence(error))
                if redact(str(error)) != str(error):
                    raise UsageError(redact(sentence(error))) from None
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
