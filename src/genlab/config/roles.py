"""Which classes a place in a configuration takes: those of its base class, and no others."""

from collections.abc import Callable, Iterator, Mapping
from inspect import isclass
from typing import Any, get_args, get_origin

from hydra.utils import get_object
from omegaconf import DictConfig
from torch import nn

from genlab.config.values import SCALARS, convert, is_sequence, options_of
from genlab.errors import UsageError

ROLES = {  # base classes, by key; further in, the annotation of an argument says it
    "model": "genlab.models.base.ImageModel",
    "data": "genlab.data.ImageDataModule",
    "callbacks.*": "lightning.pytorch.Callback",
    "logger.*": "lightning.pytorch.loggers.logger.Logger",
    "trainer": "lightning.pytorch.Trainer",
    "features": "genlab.protocols.FeatureEncoder",
}
BUSY = ("genlab", "lightning", "torchvision")  # packages with classes that read or write files when they are made


def role_of(key: str) -> Any:
    """The base class of what stands at a key outside of any object; None where nothing is built from it."""
    first, dot, rest = key.partition(".")
    role = ROLES.get(key if not dot else "" if "." in rest else f"{first}.*")
    return get_object(role) if role else None


def within(kind: Any) -> Any:
    """The annotation of what a container holds, by that of the container."""
    containers = [o for o in options_of(kind) if is_sequence(o) or get_origin(o) in (dict, Mapping)]
    return get_args(containers[0])[-1] if containers else kind


def check_role(node: DictConfig, kind: Any) -> None:
    """See that an object is of the kind that its place takes.

    Args:
        node: with an allowed `_target_`.
        kind: the annotation of its place: a class, or a callable that returns one, which a partial is; None if all is
            known of its place by its key.

    Raises:
        UsageError: if it is not, or if it lacks what its base class leaves to it.
    """
    key, found = node._get_full_key(None), get_object(node["_target_"])
    is_partial = convert(f"{key}._partial_", node.get("_partial_", False), bool)
    if "_partial_" in node and node["_partial_"] is not is_partial:
        node["_partial_"] = is_partial
    for hydras in {"_args_", "_recursive_"} & node.keys():
        raise UsageError(f"{key}.{hydras} is not possible: arguments are given by their names.")
    if missing := getattr(found, "__abstractmethods__", None):
        raise UsageError(f"{key}._target_={node['_target_']} has no {' and no '.join(sorted(missing))}.")
    kind = role_of(key) if kind is None else kind
    if kind is None:
        return
    bases = list(_bases(kind, is_partial))
    if not any(_is(found, base) for base in bases):
        names = [f"{base.__module__}.{base.__qualname__}" for base in bases if base is not Any]
        takes = f"a class derived from {' or '.join(names)}" if names else "no such object"
        if not names and list(_bases(kind, not is_partial)):
            takes = f"one with _partial_={str(not is_partial).lower()}"
        raise UsageError(f"{key}._target_={node['_target_']} is refused: {key} takes {takes}.")


def _bases(kind: Any, is_partial: bool) -> Iterator[Any]:
    """The classes that an annotation names."""
    for option in options_of(kind):
        if is_partial and get_origin(option) is Callable:
            yield from _bases(get_args(option)[-1], False)
        elif option in (Any, object):
            yield Any
        elif isclass(option) and option not in SCALARS and not is_partial:
            yield option


def _is(found: type, base: Any) -> bool:
    """Whether a class may stand where a base class is wanted; where nothing is known, one whose making does nothing."""
    if base is Any:
        return issubclass(found, nn.Module) or found.__module__.partition(".")[0] not in BUSY
    return base in found.__mro__
