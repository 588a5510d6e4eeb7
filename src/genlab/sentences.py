"""Errors of Hydra and OmegaConf, said in one sentence: what is wrong, what was expected, what to type."""

import re
from traceback import walk_tb

from hydra.core.override_parser.types import Override
from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationResolutionError,
    OmegaConfBaseException,
)

from genlab.command_line import typed
from genlab.errors import causes, one_line, unknown

# As Hydra 1.3.8 and OmegaConf 2.3 say it.
RESOLVING = re.compile("UsageError raised while resolving interpolation: (.+)")
UNSET = re.compile("Environment variable '(.+)' not found")
MISSING = re.compile("Interpolation key '(.+)' not found")
MERGING = re.compile("Error merging override (.+)", re.DOTALL)
TWICE = re.compile("Multiple values for ([^ ]+)\\. To override a value use 'override .+: (.+)'")

EXTRAS = {  # launchers of other packages, and the extras of pyproject.toml that bring them
    "hydra/launcher/submitit_slurm": "slurm",
    "hydra/launcher/submitit_local": "slurm",
    "hydra/launcher/joblib": "joblib",
    "hydra/launcher/ray": "ray",
}


def sentence(error: Exception) -> str:
    """Say in one sentence what is wrong with an input."""
    if ours := RESOLVING.match(str(error)):
        return ours[1]
    if isinstance(error, MissingConfigException) and str(error.missing_cfg_file) in EXTRAS:
        extra = EXTRAS[str(error.missing_cfg_file)]
        return f'{error.missing_cfg_file} needs a package that is not installed: type pip install -e ".[{extra}]".'
    if isinstance(error, MissingConfigException) and error.options:
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        return unknown(group, name, list(error.options))
    if isinstance(error, OverrideParseException):
        key, _, value = str(error.override).partition("=")
        as_text = f", or, if its value is a text, type {typed(key, value)}" if value else ""
        return f"{error.override!r} can't be read as key=value: close its brackets and quotes{as_text}."
    cause = next((cause for cause in causes(error) if isinstance(cause, OmegaConfBaseException)), None)
    if cause and (merging := MERGING.fullmatch(str(error))):
        return f"{merging[1]} is not possible: {str(cause).splitlines()[0]}."
    if twice := TWICE.fullmatch(str(error)):
        return f"{twice[1]} is there already: type {typed(twice[1], twice[2])}, without a plus."
    if isinstance(cause, InterpolationResolutionError) and (unset := UNSET.search(str(cause))):
        return f"{cause.full_key} is read from the environment variable {unset[1]}, which is not set: set it in .env."
    if isinstance(cause, InterpolationResolutionError) and (missing := MISSING.search(str(cause))):
        return (
            f"{cause.full_key} refers to {missing[1]!r}, and there is no such key: --cfg job lists all; "
            "a variable of the environment is ${oc.env:NAME}."
        )
    if isinstance(cause, ConfigAttributeError | ConfigKeyError) and isinstance(cause.parent_node, DictConfig):
        group, _, name = str(cause.full_key).rpartition(".")
        known = unknown(f"{group} key".strip(), name, [str(key) for key in cause.parent_node])
        target = cause.parent_node.get("_target_")
        return f"{known} What else {target} takes is set with a plus: +{cause.full_key}=VALUE." if target else known
    return one_line(error)


def refused_override(error: Exception) -> str | None:
    """Say which argument Hydra has stumbled over with an error that does not name it; None if it was over none."""
    for frame, _ in walk_tb(error.__traceback__):
        override, repository = frame.f_locals.get("override"), frame.f_locals.get("repo")
        if isinstance(override, Override) and frame.f_globals["__name__"].startswith("hydra."):
            group = override.key_or_group
            if group and repository and (options := repository.get_group_options(group)):
                return unknown(group, str(override.get_value_string()), options)
            return f"{override.input_line} is not possible: {one_line(error)}."
    return None
