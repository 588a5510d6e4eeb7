"""The search space, in Hydra's own syntax for sweeps."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    IntervalSweep,
    Override,
    ParsedElementType,
    RangeSweep,
    Transformer,
)
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from genlab.errors import UsageError
from genlab.run.identity import bears_on_result

EXAMPLE = "'model.latent_dim=choice(8,32,128)' or 'model.optimizer.lr=tag(log,interval(1e-5,1e-2))'"


class Space(NamedTuple):
    """What is searched, and what all trials have in common."""

    fixed: list[str]  # overrides
    distributions: dict[str, BaseDistribution]  # by the key, as it is typed
    typed: dict[str, str]  # all that bears on the result, to tell searches apart

    def overrides(self, params: dict[str, Any]) -> list[str]:
        """What one trial is started with."""
        return [*self.fixed, *(f"{key}={params[key]}" for key in self.distributions)]


def parse(arguments: Sequence[str]) -> Space:
    """Read the overrides of a command line.

    `choice(a,b)` and `a,b` are categories, `interval(a,b)` is a real number, `int(interval(a,b))` a whole one with
    both ends, `range(a,b,step)` one of its steps, without b as in Python; `tag(log,...)` searches by magnitude.

    Raises:
        UsageError: naming the key, for what can't be searched, or if nothing is to be.
    """
    space = Space([], {}, {})
    for override in OverridesParser.create().parse_overrides(list(arguments)):
        key = override.get_key_element()
        bears = bears_on_result(override.key_or_group)
        if key in space.typed:
            raise UsageError(f"{key} is given twice: type it once.")
        if bears:
            space.typed[key] = "" if override.is_delete() else override.get_value_string()
        if not override.is_sweep_override():
            space.fixed.append(str(override.input_line))
        elif bears:
            space.distributions[key] = _distribution(key, override)
        else:
            raise UsageError(f"{key} can't be searched, as it does not bear on the result: give it one value.")
    if not space.distributions:
        raise UsageError(f"There is nothing to search: give a key several values, such as {EXAMPLE}.")
    return space


def _distribution(key: str, override: Override) -> BaseDistribution:
    sweep: Any = override.value()
    given = f"{key}={override.get_value_string()}"
    if not isinstance(sweep, ChoiceSweep | IntervalSweep | RangeSweep):
        raise UsageError(f"{given} can't be searched: list the values, as {key}=choice(A,B), in quotes.")
    log = "log" in sweep.tags
    if unknown := sweep.tags - {"log"}:
        raise UsageError(f"{key} has the tag {min(unknown)}, which says nothing here: the only one is log.")
    if isinstance(sweep, ChoiceSweep):
        if log:
            raise UsageError(f"{key} can't have the tag log, as categories have no order: take tag(log,interval(A,B)).")
        return CategoricalDistribution(list(dict.fromkeys(map(_category, sweep.list))))
    if isinstance(sweep, IntervalSweep):
        low, high, step = sweep.start, sweep.end, None
        assert low is not None
        assert high is not None
    else:
        values = sorted(sweep.range()) if sweep.step else []
        if not values:
            raise UsageError(f"{given} can't be searched: there is no value in it.")
        low, high, step = values[0], values[-1], abs(sweep.step)
    try:
        if isinstance(low, int):
            return IntDistribution(low, int(high), log=log, step=int(step or 1))
        return FloatDistribution(low, high, log=log, step=step)
    except ValueError as error:
        raise UsageError(f"{given} can't be searched: {error}") from error


def _category(element: ParsedElementType) -> int | float | str:
    """Numbers as they are, all else as it is typed."""
    is_number = isinstance(element, int | float) and not isinstance(element, bool)
    return element if is_number else Transformer.str(element)  # type: ignore[return-value]
