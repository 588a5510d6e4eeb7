"""The one way from a config node to an object."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import hydra
from hydra.errors import InstantiationException
from hydra.utils import get_object

from genlab.errors import UsageError

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

    Only classes that one of `ALLOWED_PACKAGES` defines are instantiated, so that a config which came with somebody
    else's checkpoint can't run code of its own choice.

    Raises:
        UsageError: for a target outside of the allow-list, for an unknown or missing argument, and whatever
            UsageError the target itself raises.
    """
    for target in targets(node):
        check_target(target)
    try:
        return hydra.utils.instantiate(node, **kwargs)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, UsageError):
            raise cause from None
        if isinstance(cause, TypeError) and "argument" in str(cause):
            raise UsageError(f"{cause}. {_arguments(node, str(cause))}") from error
        if isinstance(cause, TypeError) and "'str' object is not callable" in str(cause):
            raise UsageError(
                f"A text stands in the config where {node['_target_']} wants an object: an option of a group is chosen "
                "with a slash, as in model/encoder=mlp, and not with a dot."
            ) from error
        raise


def targets(node: Any) -> Iterator[Any]:
    """Every `_target_` in a config node, at any depth."""
    if isinstance(node, Mapping) or hasattr(node, "items"):
        for key, value in node.items():
            if key == "_target_":
                yield value
            else:
                yield from targets(value)
    elif not isinstance(node, str) and hasattr(node, "__iter__"):
        for value in node:
            yield from targets(value)


def check_target(target: Any) -> None:
    """Raise a UsageError unless `target` names a class that an allowed package defines itself."""
    refusal = UsageError(
        f"The config asks for {target!r}, which is not a class of {', '.join(ALLOWED_PACKAGES)}: it is refused, as a "
        "config may come from elsewhere. Add your package to ALLOWED_PACKAGES in genlab/runs/build.py if it is yours."
    )
    if not isinstance(target, str) or not _within(target):
        raise refusal
    try:
        found = get_object(target)
    except Exception as error:
        raise UsageError(f"The config asks for {target!r}, which can't be found: {error}") from error
    if not inspect.isclass(found) or not _within(found.__module__):
        raise refusal


def _within(name: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in ALLOWED_PACKAGES)


def _arguments(node: Any, complaint: str) -> str:
    """List what the class that complains takes, its base classes included; Python's complaint starts with a name."""
    for target in targets(node):
        family = [base for base in get_object(target).__mro__ if _within(base.__module__)]
        if any(complaint.startswith(f"{base.__name__}.") for base in family):
            signatures = [inspect.signature(base).parameters.values() for base in family]
            names = [p.name for signature in signatures for p in signature if p.kind is not p.VAR_KEYWORD]
            return f"It takes: {', '.join(dict.fromkeys(names))}."
    return ""
