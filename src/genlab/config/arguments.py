"""The values of a configuration, against the annotations of the arguments that they become."""

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple, get_type_hints

from hydra.utils import get_object
from omegaconf import DictConfig, ListConfig, OmegaConf

from genlab.config.keys import assign
from genlab.config.roles import check_role, within
from genlab.config.values import convert
from genlab.errors import UsageError, nearest

HYDRAS = ("_target_", "_partial_", "_convert_", "_recursive_", "_args_")


class Arguments(NamedTuple):
    """What a class takes.

    Attributes:
        kinds: annotations by name; `Any` where there is none.
        rest: annotation of all other names; None if it takes no others.
    """

    kinds: Mapping[str, Any]
    rest: Any


def convert_arguments(node: Any, keep_references: bool = False, kind: Any = None) -> None:
    """Convert, in place, each value of a configuration to what the class takes that it goes to, at any depth.

    Args:
        node: the whole configuration or a part of it. All of its `_target_` are allowed.
        keep_references: whether what refers to something else is checked alone.
        kind: what the part is to be, an annotation; by its key if left out.

    Raises:
        UsageError: for a value that can't be, an object that has no place there, or an argument that its class does not
            take.
    """
    if isinstance(node, ListConfig):
        for i in range(len(node)):
            if not OmegaConf.is_interpolation(node, i):
                convert_arguments(node[i], keep_references, within(kind))
    if not isinstance(node, DictConfig):
        return
    kinds: dict[str, Any] = {}
    names = [str(name) for name in node if name not in HYDRAS]
    if "_target_" in node:
        check_role(node, kind)
        taken = arguments_of(node)
        if strange := [name for name in names if name not in taken.kinds and taken.rest is None]:
            raise UsageError(_strange(node, strange, list(taken.kinds)))
        for name in sorted(names, key=lambda name: OmegaConf.is_interpolation(node, name)):  # the others are converted
            kinds[name] = taken.kinds.get(name, taken.rest)
            value = node[name]
            assign(node, name, value, convert(node._get_full_key(name), value, kinds[name]), keep_references)
    for name in names:
        if (name in kinds or not OmegaConf.is_interpolation(node, name)) and OmegaConf.is_config(part := node[name]):
            convert_arguments(part, keep_references, kinds.get(name, within(kind)))


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
        hints = _hints(init)
        rest = next((hints.get(p.name, Any) for p in parameters if p.kind is p.VAR_KEYWORD), None)
        for p in parameters:
            if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL):
                kinds.setdefault(p.name, hints.get(p.name, Any))
        if rest is not Any:
            break
    return Arguments(kinds, rest)


def _hints(function: Any) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except NameError:  # of some classes of PyTorch's: names that only type checkers import
        return {}


def _strange(node: DictConfig, names: list[str], valid: list[str]) -> str:
    """Say which arguments a class does not take, and how to leave them out."""
    keys = [node._get_full_key(name) for name in names]
    what = f"an unexpected keyword argument '{names[0]}'"
    if len(names) > 1:
        what = f"unexpected keyword arguments {' and '.join(map(repr, names))}"
    near = nearest(names[0], valid)
    out = " ".join(f"~{key}" for key in keys)
    return f"{keys[0]}: {node._target_} got {what}.{near} It takes: {', '.join(valid)}. To leave out: {out}."
