"""The one way from a config node to an object."""

import inspect
from collections.abc import Iterator
from typing import Any

import hydra
from hydra.errors import InstantiationException
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from genlab.config.arguments import convert_arguments
from genlab.config.keys import check_keys
from genlab.config.values import text
from genlab.errors import UsageError, causes, one_line
from genlab.foreign import texts_below

ALLOWED_PACKAGES = (
    "genlab",
    "lightning.pytorch",
    "torch.nn",
    "torch.optim",
    "torchvision.datasets",
    "optuna.samplers",
    "optuna.pruners",
)


def build(node: Any, **kwargs: Any) -> Any:
    """Instantiate the `_target_` of a config node, with `kwargs` added to its own.

    What the node refers to is looked up first, and nothing but the plain result is checked and built from, so that a
    config which came with somebody else's checkpoint can't run code of its own choice: only classes that one of
    `ALLOWED_PACKAGES` defines are instantiated, each where its base class has its place (`arguments.ROLES`). Values are
    converted to what these classes take.

    Raises:
        UsageError: for a target outside of the allow-list or out of place, for an unknown or missing argument, for a
            value that an argument can't have, and whatever UsageError the target itself raises.
    """
    node = _resolved(node)
    key = node._get_full_key(None)
    if "_target_" not in node:
        raise UsageError(f"{key or 'The config'} has no _target_, the class of which it is made.")
    _convert(node)
    try:
        return hydra.utils.instantiate(node, **kwargs)
    except InstantiationException as error:
        cause = error.__cause__
        if refusal := next((cause for cause in causes(error) if isinstance(cause, UsageError)), None):
            raise refusal from None
        if isinstance(cause, ImportError):
            raise UsageError(f"{node['_target_']} needs a package that is not installed: {cause}") from error
        is_argument = isinstance(cause, TypeError) and "argument" in str(cause)
        if isinstance(cause, Exception) and (is_argument or not node._target_.startswith("genlab.")):
            raise UsageError(f"{key or node._target_} can't be made: {one_line(cause)}") from error
        raise


def _resolved(node: Any) -> Any:
    """A copy of a config node that refers to nothing, under the key of the original."""
    plain = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
    if text := next((text for _, text in texts_below(plain, "") if "${" in text), None):
        raise UsageError(f"{text!r} would be read as a reference once more: a value can't hold a dollar and a brace.")
    copied = OmegaConf.create(plain)
    if isinstance(node, DictConfig):
        copied._set_parent(node._get_parent())
        copied._set_key(node._key())
    copied._set_flag(["readonly", "struct"], [False, False])
    return copied


def check_config(cfg: DictConfig, keep_references: bool = False) -> None:
    """Convert, in place, all values of an entry script's configuration to what they are to be.

    With `keep_references` what refers to something else stays as it was typed, so that it can be recorded. Raises a
    UsageError for a target outside of the allow-list, an unknown argument, or a value that can't be.
    """
    check_keys(cfg, keep_references)
    for group in ("callbacks", "logger", "metrics.measures"):
        for key, node in (OmegaConf.select(cfg, group) or {}).items():
            if not (isinstance(node, DictConfig) and "_target_" in node):
                raise UsageError(
                    f"{group}.{key}={text(node)} is not possible: it is an object with a _target_. To leave it out: "
                    f"~{group}.{key}."
                )
    _convert(cfg, keep_references)


def _convert(node: Any, keep_references: bool = False) -> None:
    for target in _targets(node):
        check_target(target)
    convert_arguments(node, keep_references)


def _targets(node: Any) -> Iterator[Any]:
    """Every `_target_` in a config node, at any depth; what an entry refers to has a place of its own."""
    if not OmegaConf.is_config(node):
        return
    for key in node if OmegaConf.is_dict(node) else range(len(node)):
        if key == "_target_":
            yield node[key]
        elif not OmegaConf.is_interpolation(node, key):
            yield from _targets(node[key])


def check_target(target: Any) -> None:
    """Raise a UsageError unless `target` names a class that an allowed package defines itself."""
    refusal = UsageError(
        f"The config asks for {target!r}, which is not a class of {', '.join(ALLOWED_PACKAGES)}: it is refused, as a "
        "config may come from elsewhere. Add your package to ALLOWED_PACKAGES in genlab/config/build.py if it is yours."
    )
    if not isinstance(target, str) or not _is_allowed(target):
        raise refusal
    try:
        found = get_object(target)
    except Exception as error:
        raise UsageError(f"The config asks for {target!r}, which can't be found: {error}") from error
    if not inspect.isclass(found) or not _is_allowed(found.__module__):
        raise refusal


def _is_allowed(name: str) -> bool:
    return f"{name}.".startswith(tuple(f"{package}." for package in ALLOWED_PACKAGES))
