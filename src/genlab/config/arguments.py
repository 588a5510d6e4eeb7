"""The values and objects of a configuration, against the annotations of the arguments that they become."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple, Unpack, get_args, get_origin, get_type_hints

from hydra.utils import get_object
from omegaconf import DictConfig, ListConfig, OmegaConf
from torch import nn

from genlab.config.keys import assign
from genlab.config.values import SCALARS, convert, is_sequence, options_of
from genlab.errors import UsageError, nearest

HYDRAS = ("_target_", "_partial_", "_convert_", "_recursive_", "_args_")
ROLES = {  # base classes, by key; further in, the annotation of an argument says it
    "model": "genlab.models.base.ImageModel",
    "data": "genlab.data.ImageDataModule",
    "callbacks.*": "lightning.pytorch.Callback",
    "logger.*": "lightning.pytorch.loggers.logger.Logger",
    "trainer": "lightning.pytorch.Trainer",
    "features": "genlab.protocols.FeatureEncoder",
    "mode": "genlab.modes.mode.Mode",
    "prior": "genlab.priors.Density",
}
BUSY = ("genlab", "lightning", "torchvision")  # packages with classes that read or write files when they are made


class Arguments(NamedTuple):
    """What a class takes."""

    kinds: Mapping[str, Any]  # annotations by name; `Any` where there is none
    rest: Any  # annotation of all other names; None if it takes no others


def convert_arguments(node: Any, keep_references: bool = False, kind: Any = None) -> None:
    """Convert, in place, each value of a configuration to what the class takes that it goes to, at any depth.

    Raises a UsageError for a value that can't be, an object out of place, or an argument that its class does not take.

    Args:
        node: the whole configuration or a part of it. All of its `_target_` are allowed.
        keep_references: whether what refers to something else is checked alone.
        kind: the annotation of the part; by its key if left out.
    """
    if isinstance(node, ListConfig):
        for i in range(len(node)):
            if not OmegaConf.is_interpolation(node, i):
                convert_arguments(node[i], keep_references, _within(kind))
    if not isinstance(node, DictConfig):
        return
    kinds: dict[str, Any] = {}
    names = [str(name) for name in node if name not in HYDRAS]
    if "_target_" in node:
        _check_role(node, kind)
        taken = arguments_of(node)
        if strange := [name for name in names if name not in taken.kinds and taken.rest is None]:
            raise _strange(node, strange, list(taken.kinds))
        for name in sorted(names, key=lambda name: OmegaConf.is_interpolation(node, name)):  # the others are converted
            kinds[name] = taken.kinds.get(name, taken.rest)
            value = node[name]
            assign(node, name, value, convert(node._get_full_key(name), value, kinds[name]), keep_references)
    for name in names:
        if (name in kinds or not OmegaConf.is_interpolation(node, name)) and OmegaConf.is_config(part := node[name]):
            convert_arguments(part, keep_references, kinds.get(name, _within(kind)))


def _within(kind: Any) -> Any:
    """The annotation of what a container holds, by that of the container."""
    containers = [o for o in options_of(kind) if is_sequence(o) or get_origin(o) in (dict, Mapping)]
    return get_args(containers[0])[-1] if containers else kind


def arguments_of(node: DictConfig) -> Arguments:
    """What the class of a node takes; what it only passes on is looked for where it goes to."""
    target = get_object(node._target_)
    taken = arguments_of_class(target)
    receiver = node.get(getattr(target, "settings_go_to", ""))
    if receiver is None:
        return taken
    further = arguments_of(receiver)
    return Arguments({**further.kinds, **taken.kinds}, further.rest if receiver.get("_partial_") else None)


@cache
def arguments_of_class(target: type) -> Arguments:
    """From the constructors of a class and of its bases, as far as they pass on what they don't know."""
    kinds: dict[str, Any] = {}
    rest = None
    for base in target.__mro__[:-1]:
        if (init := vars(base).get("__init__")) is None or getattr(base, "_is_protocol", False):
            continue
        parameters = list(inspect.signature(init).parameters.values())[1:]
        try:
            hints = get_type_hints(init, include_extras=True)
        except NameError:  # of some classes of PyTorch's: names that only type checkers import
            hints = {}
        rest = next((hints.get(p.name, Any) for p in parameters if p.kind is p.VAR_KEYWORD), None)
        if get_origin(rest) is Unpack:  # of a TypedDict: names that are keywords of Python, as `from`
            kinds, rest = kinds | get_type_hints(get_args(rest)[0], include_extras=True), None
        for p in parameters:
            if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL):
                kinds.setdefault(p.name, hints.get(p.name, Any))
        if rest is not Any:
            break
    return Arguments(kinds, rest)


def _strange(node: DictConfig, names: list[str], valid: list[str]) -> UsageError:
    """Say which arguments a class does not take, and how to leave them out."""
    keys = [node._get_full_key(name) for name in names]
    what = f"an unexpected keyword argument '{names[0]}'"
    if len(names) > 1:
        what = f"unexpected keyword arguments {' and '.join(map(repr, names))}"
    near = nearest(names[0], valid)
    out = " ".join(f"~{key}" for key in keys)
    return UsageError(
        f"{keys[0]}: {node._target_} got {what}.{near} It takes: {', '.join(valid)}. To leave out: {out}."
    )


def _check_role(node: DictConfig, kind: Any) -> None:
    """See that an object is of the kind that its place takes, by the annotation of that, or else by its key."""
    key, found = node._get_full_key(None), get_object(node["_target_"])
    is_partial = convert(f"{key}._partial_", node.get("_partial_", False), bool)
    if "_partial_" in node and node["_partial_"] is not is_partial:
        node["_partial_"] = is_partial
    for hydras in {"_args_", "_recursive_"} & node.keys():
        raise UsageError(f"{key}.{hydras} is not possible: arguments are given by their names.")
    if missing := getattr(found, "__abstractmethods__", None):
        raise UsageError(f"{key}._target_={node['_target_']} has no {' and no '.join(sorted(missing))}.")
    kind = _role_of(key) if kind is None else kind
    if kind is None:
        return
    bases = list(_bases(kind, is_partial))
    if not any(_is(found, base) for base in bases):
        names = [f"{base.__module__}.{base.__qualname__}" for base in bases if base is not Any]
        takes = f"a class derived from {' or '.join(names)}" if names else "no such object"
        if not names and list(_bases(kind, not is_partial)):
            takes = f"one with _partial_={str(not is_partial).lower()}"
        raise UsageError(f"{key}._target_={node['_target_']} is refused: {key} takes {takes}.")


def _role_of(key: str) -> Any:
    """The base class of what stands at a key outside of any object; None where nothing is built from it."""
    first, dot, rest = key.partition(".")
    role = ROLES.get(key if not dot else "" if "." in rest else f"{first}.*")
    return get_object(role) if role else None


def _bases(kind: Any, is_partial: bool) -> Iterator[Any]:
    """The classes that an annotation names."""
    for option in options_of(kind):
        if is_partial and get_origin(option) is Callable:
            yield from _bases(get_args(option)[-1], False)
        elif option in (Any, object):
            yield Any
        elif inspect.isclass(option) and option not in SCALARS and not is_partial:
            yield option


def _is(found: type, base: Any) -> bool:
    """Whether a class may stand where a base class is wanted; where nothing is known, one whose making does nothing."""
    if base is Any:
        return issubclass(found, nn.Module) or found.__module__.partition(".")[0] not in BUSY
    return base in found.__mro__
