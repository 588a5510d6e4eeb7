"""Which run is resumed, from which checkpoint, with which configuration."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf, open_dict

from genlab.cli import run_folder
from genlab.errors import UsageError, unknown
from genlab.runs.checkpoints import DamagedCheckpoint, read_checkpoint
from genlab.secrets import recordable
from genlab.sweeps.cell import fingerprint

log = logging.getLogger(__name__)

CHANGEABLE = ("trainer", "callbacks", "logger", "paths", "tags")
CHANGEABLE_DATA = ("data.root", "data.num_workers")  # where it lies and how it is read, not what it is


class Resumption(NamedTuple):
    """A run that goes on."""

    checkpoint: Path
    config: DictConfig
    n_rows: int | None  # of metrics.csv; None in a checkpoint that does not know
    n_steps: int
    is_complete: bool  # nothing is left to do; only with resume=auto
    is_changed: bool  # it goes on with another configuration than it had


def resumption(cfg: DictConfig, typed: Sequence[str] = ()) -> Resumption | None:
    """Find out what `resume` asks for.

    Args:
        cfg: the configuration of the command line.
        typed: the overrides that it was composed with; `resume=RUN` applies them to the run's own configuration.

    Returns:
        None where a new run starts.

    Raises:
        UsageError: if there is nothing to resume, nothing left to do for `resume=RUN`, or the weights would not fit.
    """
    if not cfg.get("resume"):
        return None
    automatic = cfg.resume == "auto"
    folder = Path(cfg.paths.run_dir) if automatic else run_folder(cfg.resume)
    checkpoints = _checkpoints(folder if automatic else Path(cfg.resume))
    if automatic and (not checkpoints or _first_is_damaged(checkpoints)):
        return None
    if not checkpoints:
        raise UsageError(f"resume={cfg.resume} holds no checkpoint: there is nothing to go on from.")
    path, state = _first_whole(checkpoints)
    stored = OmegaConf.create(state["config"])
    if automatic:
        config = cfg
        _check_same(recordable(cfg), state["config"], folder)
    else:
        config = _changed(_moved(stored, "run_dir", str(folder)), typed)
    reached = _limit_reached(config, state)
    if reached and not (automatic and config.trainer[reached[0]] == reached[1]):
        key, done = reached
        raise UsageError(
            f"{folder} is complete with {done} {key.removeprefix('max_')}: to go on, type a trainer.{key} above {done}."
        )
    is_changed = fingerprint(config) != fingerprint(stored)
    n_rows = state.get("resume", {}).get("rows")
    return Resumption(path, config, n_rows, state["global_step"], reached is not None, is_changed)


def _checkpoints(run: Path) -> list[Path]:
    """The checkpoints of a run folder, the newest first, or the file itself."""
    if run.is_file():
        return [run]
    folder = run / "checkpoints"
    older = sorted(folder.glob("step_*.ckpt"), reverse=True)
    paths = [folder / "last.ckpt", folder / "previous.ckpt", *older, folder / "best.ckpt"]
    return [path for path in paths if path.is_file()]


def _first_is_damaged(paths: list[Path]) -> bool:
    """Whether all that a run has written yet is one checkpoint, and that is damaged; it is put aside then."""
    if len(paths) > 1 or any(paths[0].parent.glob("*.damaged")):
        return False
    try:
        read_checkpoint(paths[0])
    except DamagedCheckpoint as error:
        log.warning("%s The run has written no other yet, and begins anew.", error)
        _put_aside(paths[0])
        return True
    return False


def _first_whole(paths: list[Path]) -> tuple[Path, dict[str, Any]]:
    for number, path in enumerate(paths):
        try:
            return path, read_checkpoint(path)
        except DamagedCheckpoint as error:
            if number == len(paths) - 1:
                others = "" if len(paths) == 1 else ", and so are those before it"
                raise DamagedCheckpoint(f"{error} There is no other to go on from{others}.") from error
            log.warning("%s The run goes on from %s.", error, paths[number + 1].name)
            _put_aside(path)
    raise AssertionError


@rank_zero_only
def _put_aside(path: Path) -> None:
    """Or it would become `previous.ckpt` at the next save."""
    path.replace(path.with_name(f"{path.name}.damaged"))


def _moved(config: DictConfig, key: str, new: str) -> DictConfig:
    """The configuration with one of its paths elsewhere, and all that lies below it."""
    old = OmegaConf.to_container(config.paths)[key]  # type: ignore[call-overload,index]

    def there(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: there(part) for name, part in value.items()}
        if isinstance(value, list):
            return [there(part) for part in value]
        return new + value[len(old) :] if isinstance(value, str) and f"{value}/".startswith(f"{old}/") else value

    return OmegaConf.create(there(OmegaConf.to_container(config)))


def _changed(config: DictConfig, typed: Sequence[str]) -> DictConfig:
    """The configuration of a run with what has been typed."""
    for override in OverridesParser.create().parse_overrides(list(typed)):
        key = override.key_or_group
        if key == "resume" or key.startswith("hydra."):
            continue
        _check_changeable(override, config)
        if override.is_delete():
            del OmegaConf.select(config, key.rpartition(".")[0])[key.rpartition(".")[2]]
        elif key.startswith("paths."):
            config = _moved(config, key.removeprefix("paths."), str(override.value()))
        else:
            with open_dict(config):
                OmegaConf.update(config, key, override.value(), force_add=True)
    return config


def _check_changeable(override: Override, config: DictConfig) -> None:
    key, text = override.key_or_group, override.input_line
    if key.split(".")[0].split("/")[0] not in CHANGEABLE and key not in CHANGEABLE_DATA:
        raise UsageError(
            f"{text} can't be changed when a run is resumed: its weights and its place in the data belong to the "
            f"model, the data and the seed that it was started with. Keys of {', '.join(CHANGEABLE)} can."
        )
    parent, _, name = key.rpartition(".")
    if "/" in key or (not parent and key != "tags"):
        raise UsageError(f"{text} chooses a whole group, and a run keeps its own: type values, as {key}.NAME=VALUE.")
    node: Any = OmegaConf.select(config, parent) if parent else config
    if not isinstance(node, DictConfig):
        raise UsageError(f"The run has no {parent}, so {text} can't be set.")
    if name not in node and not override.is_add() and not override.is_force_add():
        raise UsageError(unknown(f"{parent} key", name, [str(valid) for valid in node]))


def _check_same(config: Any, stored: dict[str, Any], folder: Path) -> None:
    """Raise a UsageError if model, data or seed differ from those of a run, naming the first key."""
    for part in ("model", "data", "seed"):
        mine, theirs = (dict(_leaves(c[part], part)) for c in (config, stored))
        for key in sorted(mine.keys() | theirs.keys()):
            if mine.get(key) != theirs.get(key) and key not in CHANGEABLE_DATA:
                raise UsageError(
                    f"{folder} holds a run with {key}={theirs.get(key)} and {key}={mine.get(key)} is asked for: its "
                    "weights would not fit. Choose another folder with hydra.run.dir=PATH."
                )


def _leaves(node: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict) and node:
        for name, value in node.items():
            yield from _leaves(value, f"{key}.{name}")
    else:
        yield key, node


def _limit_reached(config: DictConfig, state: dict[str, Any]) -> tuple[str, int] | None:
    """The limit of the trainer at which a checkpoint was made, and how far that is; None if it can go on."""
    epochs, steps = state["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"], state["global_step"]
    for key, done in {"max_epochs": epochs, "max_steps": steps}.items():
        limit = config.trainer.get(key)
        if isinstance(limit, int) and 0 <= limit <= done:
            return key, done
    return None
