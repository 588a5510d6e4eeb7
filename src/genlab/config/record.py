"""How a configuration is recorded: resolved, but with what reads the environment as typed. Imports nothing heavy."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from omegaconf.resolvers import oc

from genlab.errors import UsageError
from genlab.redaction import map_texts, redact, refer

PASSWORD = re.compile(r"://[^/\s@$:]*:[^/\s@$]+@")  # in an address


def record(text: str) -> str:
    """Return a text as it may stand in a run's files: with references in the place of secrets.

    Raises:
        UsageError: for a password in an address that is not in the environment.
    """
    if PASSWORD.search(text := refer(text)):
        raise UsageError(
            f"{redact(text)} holds a password, which would be written into the run's files: put it into .env, as "
            "NAME=PASSWORD, and type '${oc.env:NAME}' in its place."
        )
    return text


def record_config(config: Any) -> Any:
    """Return a configuration as it may stand in a run's files, as plain containers; raises what `record` raises."""
    return map_texts(resolve(config), record)


def as_typed(overrides: Any) -> list[str]:
    """Return Hydra's list of overrides as they were typed: to go through it would resolve them."""
    typed: Any = OmegaConf.to_container(overrides)
    return typed


def resolve(node: Any, without: Sequence[str] = ()) -> Any:
    """Return a configuration, `without` some keys, as plain containers: resolved but for the environment."""
    if OmegaConf.is_dict(node):
        return {key: _value(node, key) for key in node if key not in without}
    return [_value(node, number) for number in range(len(node))] if OmegaConf.is_list(node) else node


def _value(node: Any, key: Any) -> Any:
    if not OmegaConf.is_interpolation(node, key):
        return resolve(node[key])
    with _reads() as names:
        try:
            value = node[key]
            value = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        except OmegaConfBaseException:  # a variable may be missing: what needs it will say so
            if not names:
                raise
    return OmegaConf.to_container(node)[key] if names else value  # type: ignore[index]


@contextmanager
def _reads() -> Iterator[list[str]]:
    """Note the variables that a configuration reads within it."""
    names: list[str] = []

    def read(name: str, *default: Any) -> Any:
        names.append(name)
        return oc.env(name, *default)

    OmegaConf.register_new_resolver("oc.env", read, replace=True)
    try:
        yield names
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)
