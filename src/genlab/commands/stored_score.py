"""Scores that runs and evaluations have left, each with what it takes to compute it again."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from genlab.command_line import typed
from genlab.commands.load import find_checkpoint, read_checkpoint
from genlab.config.build import check_config, check_target
from genlab.config.record import resolve
from genlab.config.references import References
from genlab.errors import UsageError, listed, one_line
from genlab.foreign import Unreadable, read_text
from genlab.redaction import redact_all
from genlab.run.checkpoint import check_parts, explain_damage
from genlab.run.summary import read_outcome
from genlab.stamp import Stamp

PROTOCOL = ("features", "seed", "weights", "ema", "prior")  # keys of an evaluation, beside those of `metrics`
METRICS = ("n_samples", "reference", "split", "batch_size")


class StoredScore(NamedTuple):
    """A Fréchet distance as it was written down.

    Attributes:
        name: how it was typed.
        value, error: itself, and its standard error where it has one.
        stamp: its protocol.
        recipe: the keys of `configs/eval.yaml` that it came of, those of `data` and `metrics` with dots; and `jpeg`,
            how images are coded before they are scored.
    """

    name: str
    value: float
    error: float | None
    stamp: Stamp
    recipe: dict[str, Any]


def recipe_of(cfg: DictConfig, runs: Sequence[str], number: int) -> dict[str, Any]:
    """What an evaluation leaves for one of its subjects, the runs and then the folder, so that it can be repeated."""
    run = runs[number] if number < len(runs) else None
    data = resolve(cfg.data) if cfg.get("data") else None
    if run is None and data is None:
        data = _data_of(runs[-1])
    metrics = {key: cfg.metrics[key] for key in METRICS}
    subject = {"run": run, "images": None if run else cfg.images, "data": data, "metrics": metrics}
    plain: dict[str, Any] = redact_all(subject | {key: resolve(cfg.get(key)) for key in PROTOCOL})
    return plain


def read_score(path: str) -> StoredScore:
    """Read the score of a run folder, or the one in the folder of an evaluation; of several there, `FOLDER/NUMBER`.

    Raises:
        UsageError: if there is none, or none that can be computed again.
    """
    folder = Path(path)
    home, number = (folder.parent, folder.name) if not folder.exists() and folder.name.isdigit() else (folder, None)
    if (home / "evaluation.json").exists():
        return _of_evaluation(path, home, number)
    if not folder.exists():
        raise UsageError(
            f"{typed('explain', path)} does not exist: give two run folders, or folders that eval.py has left."
        )
    if (folder / "summary.json").exists():
        return _of_run(path, folder)
    raise UsageError(
        f"{typed('explain', path)} holds no score: a run folder does, and what eval.py leaves in logs/eval/runs; a "
        "checkpoint is scored with run=PATH, and a folder of images with images=FOLDER data=NAME."
    )


def _of_evaluation(path: str, home: Path, number: str | None) -> StoredScore:
    try:
        every = json.loads(read_text(home, "evaluation.json") or "")
        found = every[int(number or 0)]
        config = found.get("config")
        score = found["metrics"].get(_metric(config)) if config else None
        protocol = score["protocol"] if score else {}
    except (Unreadable, ValueError, LookupError, TypeError, AttributeError) as error:
        what = f"it has no score {number}" if isinstance(error, IndexError) else one_line(error)
        raise UsageError(f"explain={path}: {home}/evaluation.json can't be used ({what}).") from error
    if number is None and len(every) > 1:
        several = listed([f"{home / str(n)} ({one.get('name')})" for n, one in enumerate(every)])
        raise UsageError(f"explain={path} holds {len(every)} scores: choose one, as {several}.")
    if not config or not score:
        why = "has no Fréchet distance" if config else "is of an earlier version, which did not say how it was measured"
        raise UsageError(f"explain={path} {why}: evaluate it again, and give that folder.")
    return _score(path, score, protocol, config)


def _metric(config: dict[str, Any]) -> str:
    """The name of the Fréchet distance in the features of an evaluation."""
    check_target(target := config["features"]["_target_"])
    return str(get_class(target).metric)  # type: ignore[attr-defined]


def _of_run(path: str, folder: Path) -> StoredScore:
    summary = read_outcome(folder).summary
    score = dict(summary.get("score") or {})
    protocol = (summary.get("metrics") or {}).get(score.get("name"), {}).get("protocol")
    if score.get("value") is None or not protocol:
        raise UsageError(
            f"explain={path} has no score (callbacks.frechet makes one): type python src/eval.py {typed('run', path)}, "
            "and give the folder that it leaves."
        )
    prior = "prior" in protocol  # was fitted to the best weights, and all other scores are of the last ones
    with _said_of(path):
        checkpoint = find_checkpoint(folder) if prior else find_checkpoint(folder / "checkpoints" / "last.ckpt")
        config = _configuration(checkpoint)
        if (frechet := (config.get("callbacks") or {}).get("frechet")) is None:
            raise UsageError("its configuration has no callbacks.frechet: evaluate it, and give that folder.")
    metrics = {key: frechet[key] for key in ("n_samples", "reference", "batch_size")} | {"split": "test"}
    subject = {"run": str(checkpoint), "images": None, "metrics": metrics, "seed": frechet["seed"]}
    weights = {"weights": "raw" if protocol.get("weights") == "raw" else "ema", "ema": None}
    more = {"features": frechet["encoder"], "prior": config.get("prior") if prior else None, "data": config["data"]}
    return _score(path, score, protocol, subject | weights | more)


def _score(path: str, score: dict[str, Any], protocol: dict[str, Any], config: dict[str, Any]) -> StoredScore:
    try:
        stamp = Stamp(**protocol)
    except TypeError as error:
        unknown = listed([repr(field) for field in protocol if field not in Stamp.__dataclass_fields__])
        raise UsageError(
            f"explain={path} was measured by a protocol with fields that this version does not know, {unknown}: "
            "evaluate it again by this one."
        ) from error
    with _said_of(path):
        return StoredScore(path, score["value"], score.get("error"), stamp, _recipe(config))


@contextmanager
def _said_of(path: str) -> Iterator[None]:
    try:
        yield
    except UsageError as error:
        raise UsageError(f"explain={path} can't be computed again: {error}") from error


def _recipe(config: dict[str, Any]) -> dict[str, Any]:
    References(config).check(("data", "features", "prior"))
    cfg = OmegaConf.create({**config, "data": config["data"] or _data_of(config["run"])})
    check_config(cfg)
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    recipe = {"jpeg": None} | {key: plain[key] for key in ("run", "images", *PROTOCOL)}
    if recipe["run"] and recipe["ema"] is None:
        recipe["run"] = str(find_checkpoint(Path(recipe["run"])))
    for group in ("metrics", "data"):
        recipe |= {f"{group}.{key}": value for key, value in plain[group].items()}
    del recipe["data.image_shape"]  # of its channels and its size
    return recipe


def _configuration(run: str | Path) -> dict[str, Any]:
    """What the configuration in a run's checkpoint says of data, score and prior; without foreign references."""
    path = find_checkpoint(Path(run))
    with explain_damage(path):
        config = read_checkpoint(path)["config"]
        check_parts(config, "data")
        parts = [part for part in ("data", "callbacks", "prior") if config.get(part)]
        References(config).check(parts)
        whole = OmegaConf.create(config)
        return {part: OmegaConf.to_container(whole[part], resolve=True) for part in parts}


def _data_of(run: str) -> dict[str, Any]:
    data: dict[str, Any] = _configuration(run)["data"]
    return data
