"""Which run is resumed, from which checkpoint, with which configuration."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict

from genlab.command_line import typed_keys
from genlab.commands.labels import LEARNT
from genlab.config.build import check_config
from genlab.config.record import record_config
from genlab.data import ImageDataModule
from genlab.errors import UsageError, unknown
from genlab.foreign import check_folder, leaves
from genlab.redaction import map_texts
from genlab.run.adopt import adopt, check_places
from genlab.run.checkpoint import checkpoint_folder, checkpoints_in, explain_damage, read_newest
from genlab.run.identity import fingerprint, run_folder

CHANGEABLE = ("trainer", "callbacks", "logger", "paths", "tags")
# Where the data lie and how they are read, not what they are: a checkpoint knows their images.
CHANGEABLE_DATA = ("data.root", "data.path", "data.cache_dir", "data.num_workers", "data.decode_workers")


class Resumption(NamedTuple):
    """A run that goes on."""

    checkpoint: Path
    config: DictConfig
    images: dict[str, Any]  # what the data module has to find again; nothing in an older checkpoint
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
    if automatic:
        check_folder(folder)
    where = checkpoint_folder(folder, cfg.callbacks)
    checkpoints = [Path(cfg.resume)] if not automatic and Path(cfg.resume).is_file() else checkpoints_in(where)
    if not checkpoints and not automatic:
        raise UsageError(f"resume={cfg.resume} holds no checkpoint: there is nothing to go on from.")
    if (newest := read_newest(checkpoints, may_begin_anew=automatic)) is None:
        return None
    path, state = newest
    config, is_changed = cfg, False
    if automatic:
        recorded = record_config(cfg)
        with explain_damage(path):
            _check_own(folder, where, Path(state["config"]["paths"]["run_dir"]))
            _check_same(recorded, state["config"], folder, typed_keys(typed))
            if "${" not in (name := state["config"]["data"]["name"]):
                config.data.name = name  # a folder's name is its path, and part of each score's protocol
    else:
        config, is_changed = _own_config(folder, path, state, typed, cfg)
    with explain_damage(path):
        reached = _limit_reached(config, state)
        images, n_rows = state.get(ImageDataModule.__qualname__, {}), state.get("resume", {}).get("rows")
    if reached and not (automatic and config.trainer[reached[0]] == reached[1]):
        key, done = reached
        raise UsageError(
            f"{folder} is complete with {done} {key.removeprefix('max_')}: to go on, type a trainer.{key} above {done}."
        )
    return Resumption(path, config, images, n_rows, state["global_step"], reached is not None, is_changed)


def _own_config(
    folder: Path, path: Path, state: dict[str, Any], typed: Sequence[str], command: DictConfig
) -> tuple[DictConfig, bool]:
    """The configuration of the run in a folder with what has been typed, and whether that changes it."""
    with explain_damage(path):
        stored = OmegaConf.create(adopt(state["config"], folder))
        config = _moved(stored, "run_dir", str(folder))
        check_config(config, keep_references=True)
    config = _changed(config, typed, command)
    check_config(config, keep_references=True)
    check_places(config, typed_keys(typed), folder)
    return config, fingerprint(config) != fingerprint(stored)


def _moved(config: DictConfig, key: str, new: str) -> DictConfig:
    """The configuration with one of its paths elsewhere, and all that lies below it."""
    plain: Any = OmegaConf.to_container(config)
    old = plain["paths"][key]

    def moved(text: str) -> str:
        return new + text[len(old) :] if f"{text}/".startswith(f"{old}/") else text

    return OmegaConf.create(map_texts(plain, moved))


def _changed(config: DictConfig, typed: Sequence[str], command: DictConfig) -> DictConfig:
    """The configuration of a run with what has been typed, of which `command` is composed."""
    overrides = OverridesParser.create().parse_overrides(list(typed))
    own: Any = OmegaConf.to_container(config)
    given: Any = OmegaConf.to_container(command)
    missing = {key: given.get(key) for key in ("sweep", "tags") if key not in own}  # what loggers may refer to
    loggers = given.get("logger") if "logger" in typed_keys(typed) else own["logger"]
    config = OmegaConf.create(own | missing | {"logger": loggers or {}})
    for override in overrides:
        key = override.key_or_group
        if key in ("resume", "logger") or key.startswith("hydra."):
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
    key, text = override.key_or_group, str(override.input_line).lstrip("+")
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
    may_add = override.is_add() or override.is_force_add() or parent == "trainer"  # which takes all that Lightning does
    if name not in node and (parent == "data" or not may_add):
        raise UsageError(unknown(f"{parent} key", name, [str(valid) for valid in node]))


def _check_own(run: Path, where: Path, other: Path) -> None:
    """See that checkpoints that lie elsewhere are not those of another run."""
    if where != run / "checkpoints" and other.absolute() != run.absolute():
        raise UsageError(
            f"callbacks.checkpoint.dirpath={where} holds checkpoints of another run, {other}: choose another folder, "
            f"or go on with that run by resume={other}."
        )


def _check_same(config: Any, stored: dict[str, Any], folder: Path, typed: Collection[str]) -> None:
    """See that model, data, seed and the weights it started with are those of a run.

    A key that is not typed, and that the run does not have beside others of its node, is one of a newer version.
    """
    for part in ("model", "data", "seed", "init"):
        mine, theirs = (dict(leaves(c.get(part), part)) for c in (config, stored))
        for key in sorted(mine.keys() | theirs.keys()):
            is_learnt = key.startswith(LEARNT) and mine.get(".".join(key.split(".")[:3]), "") is None
            node = f"{key.rpartition('.')[0]}."
            is_new = key not in theirs and key not in typed and any(other.startswith(node) for other in theirs)
            if (
                mine.get(key) != theirs.get(key)
                and key not in (*CHANGEABLE_DATA, "data.name")
                and not is_learnt | is_new
            ):
                raise UsageError(
                    f"{folder} holds a run with {key}={theirs.get(key)} and {key}={mine.get(key)} is asked for: its "
                    "weights would not fit. Choose another folder with hydra.run.dir=PATH."
                )


def _limit_reached(config: DictConfig, state: dict[str, Any]) -> tuple[str, int] | None:
    """The limit of the trainer at which a checkpoint was made, and how far that is; None if it can go on."""
    epochs, steps = state["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"], state["global_step"]
    for key, done in {"max_epochs": epochs, "max_steps": steps}.items():
        limit = config.trainer.get(key)
        if isinstance(limit, int) and 0 <= limit <= done:
            return key, done
    return None
