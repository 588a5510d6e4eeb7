"""One check for the values of all keys: a value becomes what its key takes, or is refused. Imports nothing heavy."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from inspect import isclass
from math import isfinite
from os import PathLike
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import BaseMetadata
from omegaconf import DictConfig, ListConfig, OmegaConf

from genlab.bounds import bounds_of, holds, say_bounds
from genlab.errors import UsageError, unknown

TRUTHS = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(("false", "no", "off", "0"), False)
SEEDS = 2**32  # what NumPy takes as a seed is below
SCALARS = {  # the most particular first
    NoneType: "null",
    bool: "true or false",
    int: "a whole number",
    float: "a finite number",
    str: "a text",
}
SEQUENCES, MAPPINGS = (list, tuple, set, Iterable, Sequence), (dict, Mapping)
NOTHING = object()  # what a value is not


def convert(key: str, value: Any, kind: Any) -> Any:
    """Return the value of a key as what it is to be.

    `no` is false, `64.0` and `1e3` are whole numbers, `2024` is a text where one is wanted, an empty text is null where
    that is possible, and a single text will do for a list of them.

    Args:
        key: the whole one.
        value: as it stands in a configuration: a scalar, a container or a node.
        kind: the annotation of the argument that it becomes; what is no scalar or container of such passes.

    Raises:
        UsageError: if it can't be.
    """
    options = list(options_of(kind))
    if Any in options or object in options:
        return value
    if isinstance(value, Mapping | DictConfig):
        return _mapping(key, value, options)
    if isinstance(value, list | tuple | ListConfig):
        return _sequence(key, value, options)
    bounds = list(bounds_of(kind))
    for option in _ordered(value, options):
        if (found := _cast(key, value, option)) is not NOTHING:
            if type(found) in (int, float) and not all(holds(found, bound) for bound in bounds):
                break
            return found
    if value not in (None, "") and any(is_sequence(o) and get_args(o)[0] is str for o in options):
        return [convert(key, value, str)]
    raise _refusal(key, value, options, bounds)


def is_sequence(kind: Any) -> bool:
    """Whether an annotation stands for a sequence whose elements have a type."""
    return get_origin(kind) in SEQUENCES and bool(get_args(kind))


def text(value: Any) -> str:
    """A value as it is typed."""
    if isinstance(value, list | tuple | ListConfig):
        return f"[{','.join(map(text, value))}]"
    return str(value).lower() if value is True or value is False else "null" if value is None else str(value)


def options_of(kind: Any) -> Iterator[Any]:
    """The members of a union, at any depth, without bounds."""
    if get_origin(kind) is Annotated:
        yield from options_of(get_args(kind)[0])
    elif get_origin(kind) in (Union, UnionType):
        for member in get_args(kind):
            yield from options_of(member)
    else:
        yield str if isinstance(kind, type) and issubclass(kind, PathLike) else kind


def _ordered(value: Any, options: Sequence[Any]) -> list[Any]:
    """What a scalar is already, then null, choices, and the others; text comes last: `2` is rather a number."""
    choices = [option for option in options if get_origin(option) is Literal]
    scalars = [option for option in SCALARS if option in options]
    if isinstance(value, str) and not isinstance(_number(value), int) and float in options:
        scalars = [option for option in scalars if option is not int]  # 1.0 and 1 may differ: a share, a count
    exact = [option for option in scalars if type(value) is option and option is not str]
    return [*exact, *(o for o in scalars if o is NoneType), *choices, *scalars]


def _cast(key: str, value: Any, kind: Any) -> Any:
    """A scalar as another; `NOTHING` if it can't be."""
    if get_origin(kind) is Literal:
        return next((choice for choice in get_args(kind) if text(choice) == text(value)), NOTHING)
    if kind is NoneType:
        return None if value in (None, "") else NOTHING
    if kind is bool:
        return TRUTHS.get(text(value).lower(), NOTHING)
    if kind is str and value not in (None, ""):
        return text(value)
    number = _number(value) if isinstance(value, str) else value
    if kind is str or isinstance(number, bool) or not isinstance(number, int | float) or not isfinite(number):
        return NOTHING
    if kind is float:
        return number
    low, high = (0, SEEDS) if key.rpartition(".")[2] == "seed" else (-(2**63), 2**63)
    is_possible = number == int(number) and low <= number < high
    return int(number) if is_possible else NOTHING


def _number(word: str) -> int | float | None:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            pass
    return None


def _sequence(key: str, value: Any, options: Sequence[Any]) -> Any:
    """A list of converted elements."""
    if any(OmegaConf.is_config(part) for part in value):
        return value  # of objects
    lengths: list[str] = []
    for option in options:
        if is_sequence(option):
            kinds = [kind for kind in get_args(option) if kind is not ...]
            if get_origin(option) is tuple and ... not in get_args(option):
                lengths.append(str(len(kinds)))
                if len(value) != len(kinds):
                    continue
            else:
                kinds = kinds * len(value)
            return [convert(f"{key}[{i}]", *pair) for i, pair in enumerate(zip(value, kinds, strict=True))]
    if lengths:
        raise UsageError(f"{key}={text(value)} is not possible: it is a list of {' or '.join(lengths)}.")
    if all(option in SCALARS or get_origin(option) in (Literal, *MAPPINGS) for option in options):
        raise _refusal(key, value, options)
    return value


def _mapping(key: str, value: Any, options: Sequence[Any]) -> Any:
    """A mapping with converted values."""
    mappings = [option for option in options if get_origin(option) in MAPPINGS]
    if "_target_" in value:
        options = [option for option in options if option not in mappings]
    elif mappings and any(OmegaConf.is_config(part) for part in value.values()):
        return value  # of objects, each of which is checked by itself
    for option in options:
        if get_origin(option) in MAPPINGS:
            kind = get_args(option)[1]
            return {name: convert(f"{key}.{name}", part, kind) for name, part in value.items()}
    if not value and NoneType in options:
        return None  # as an option of a group that stands for nothing
    if options and all(option in SCALARS or get_origin(option) in (Literal, *SEQUENCES) for option in options):
        raise _refusal(key, value, options)
    if "_target_" not in value and any(isclass(option) or get_origin(option) is Callable for option in options):
        raise UsageError(f"{key} has no _target_, the class of which it is made.")
    return value


def _refusal(key: str, value: Any, options: Sequence[Any], bounds: Sequence[BaseMetadata] = ()) -> UsageError:
    """Say what a key takes."""
    said = say_bounds(bounds)
    scalars = SCALARS | ({int: f"a whole number{said}", float: f"a finite number{said}"} if said else {})
    choices = [text(choice) for option in options if get_origin(option) is Literal for choice in get_args(option)]
    possible = [what for kind, what in scalars.items() if kind in options]
    if choices and set(possible) <= {SCALARS[NoneType]}:
        return UsageError(unknown(f"value of {key}", text(value), [*choices, *possible]))
    possible += choices
    possible += ["a list" for option in options if get_origin(option) in SEQUENCES]
    possible += ["a mapping, as {NAME:VALUE}" for option in options if get_origin(option) in MAPPINGS]
    if set(possible) <= {SCALARS[NoneType]}:
        group = key.replace(".", "/") if key.startswith("model.") and value not in (None, "") else "model/encoder"
        return UsageError(
            f"{key}={text(value)} is not possible: it is an object with a _target_ and keys of its own, and where it "
            f"is a group, an option is chosen with a slash, as in {group}={value or 'mlp'}, and not with a dot."
        )
    if key.rpartition(".")[2] == "seed":
        possible = [f"a whole number from 0 to {SEEDS - 1}"]
    return UsageError(f"{key}={text(value)} is not possible: it must be {' or '.join(dict.fromkeys(possible))}.")
