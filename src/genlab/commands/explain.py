"""Why two scores differ: one is computed again under the protocol of the other, a field at a time."""

from collections.abc import Callable
from contextlib import suppress
from itertools import chain
from os.path import commonpath
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.table import Table

from genlab.command_line import typed_keys
from genlab.commands.stored_score import StoredScore, read_score
from genlab.commands.subjects import subjects
from genlab.config.record import as_typed
from genlab.console import console, plus_minus
from genlab.data.files import find_files
from genlab.data.jpeg import Coding, code_as_jpeg, jpeg_coding
from genlab.distributed import rank_and_world_size
from genlab.errors import UsageError, listed
from genlab.evaluation import Frechet, NotApplicable
from genlab.files import write_text
from genlab.outputs import writing
from genlab.stamp import NORMAL, Measurement, differences

Recipe = dict[str, Any]

FIELDS = {  # of a protocol, in the order in which they are changed: the keys of an evaluation that decide them
    "split": ["metrics.reference"],
    "n_real": ["data.limit"],
    "n_fake": ["metrics.n_samples"],
    "size": ["data.size"],
    "channels": ["data.channels"],
    "crop": ["data.crop", "data.random_crop"],
    "fit": ["data.fit"],
    "filter": ["data.filter"],
    "binarize": ["data.binarize"],
    "encoder": ["features"],
    "seed": ["seed"],
    "weights": ["weights", "ema"],
    "prior": ["prior"],
}
WHOLE = ("data._target_", "data.source", "data.name")  # where one of these is another, all of the data changes at once
NEUTRAL = {  # keys that no score depends on
    *("metrics.split", "metrics.batch_size", "data.batch_size", "data.num_workers", "data.flip", "data.seed"),
    *("data.decode_workers", "data.max_rejects", "data.cache_dir"),
}
OF_RECIPES = ("run", "images", "data", "features", "metrics", "prior", "weights", "ema", "seed")
IN_ORDER = (
    "Fields are changed from the top down, each on top of those above it: in another order effects may be others, as "
    "fields act on each other."
)


class Row(NamedTuple):
    """A field, its values in the first and the second score, the score after the change, and by how much it changed."""

    field: str
    a: Any
    b: Any
    score: float
    effect: float


def read_scores(cfg: DictConfig) -> tuple[StoredScore, StoredScore]:
    """The two scores that `explain` names; raise a UsageError for anything else, before something takes long."""
    names = [cfg.explain] if isinstance(cfg.explain, str) else list(cfg.explain)
    if len(names) != 2 or names[0] == names[1]:
        got = "the same one twice" if len(names) == 2 else "one name" if len(names) == 1 else f"{len(names)} names"
        raise UsageError(f"explain= takes two scores, as in explain=RUN,logs/eval/runs/DATE_TIME, and has got {got}.")
    keys = typed_keys(as_typed(HydraConfig.get().overrides.task)) if HydraConfig.initialized() else []
    if taken := [key for key in keys if key.replace("/", ".").partition(".")[0] in OF_RECIPES]:
        raise UsageError(f"explain= takes models and protocols from the scores themselves: leave {listed(taken)} out.")
    return read_score(names[0]), read_score(names[1])


def explain(a: StoredScore, b: StoredScore, cfg: DictConfig, device: torch.device) -> list[Row]:
    """Attribute the difference of two scores to the fields of their protocols, and print and write it as a table.

    What computing both again does not reproduce is a row of its own, so that the effects sum to the difference.
    """
    start, rows = attribute(a, b, lambda recipe: _measured(recipe, cfg.cache_dir, device))
    rest = b.value - a.value - sum(row.effect for row in rows)
    if abs(rest) > 1e-4 * max(a.value, b.value):
        rows.append(Row("not reproduced", None, None, b.value, rest))
    if rank_and_world_size()[0] == 0:
        _show(a, b, start, rows)
        out = Path(cfg.paths.run_dir)
        with writing("hydra.run.dir", out):
            write_text(out / "explanation.csv", pd.DataFrame(rows, columns=Row._fields).to_csv(index=False))
        print(out)
    return rows


def attribute(
    a: StoredScore, b: StoredScore, measure: Callable[[Recipe], Measurement]
) -> tuple[Measurement, list[Row]]:
    """The first score, computed again, and what each change on the way to the second one does to it.

    A field that can't be changed for the first model (a prior that was not fitted to its codes) or for the first images
    (a size that they don't have) changes together with them, and is named there.
    """
    goal = b.recipe | {key: a.recipe[key] for key in NEUTRAL & a.recipe.keys() & b.recipe.keys()}
    recipe, before = a.recipe, measure(a.recipe)
    start, rows = before, list[Row]()

    def change(field: str, new: Recipe) -> None:
        nonlocal recipe, before
        after = before if new == recipe else measure(new)
        if after[:2] != before[:2]:
            is_last = field in ("model", "images")
            fields = [field, *(differences(before.stamp, after.stamp) if is_last else ())]
            effect = after.value - before.value
            rows.append(Row(", ".join(fields), _shown(field, a, b), _shown(field, b, a), after.value, effect))
        recipe, before = new, after

    for field, keys in _fields(a.recipe, goal).items():
        kept = {key: value for key, value in recipe.items() if key not in keys}
        with suppress(UsageError, NotApplicable):
            change(field, kept | {key: goal[key] for key in keys if key in goal})
    ours, theirs = _jpeg(a.recipe), _jpeg(goal)
    if theirs and not ours:
        change("JPEG", recipe | {"jpeg": theirs})
    change("model" if recipe["run"] and goal["run"] else "images", goal | {"jpeg": None if theirs else ours})
    change("JPEG", goal | {"jpeg": None})
    return start, rows


def _fields(a: Recipe, b: Recipe) -> dict[str, list[str]]:
    """The fields in the order in which they are changed, and the keys of each."""
    data = [key for key in dict.fromkeys([*a, *b]) if key.startswith("data.") and key not in NEUTRAL]
    if all(a.get(key) == b.get(key) for key in WHOLE):
        data = [key for key in data if key not in chain.from_iterable(FIELDS.values())]
    return {"data": data, **FIELDS}


def _measured(recipe: Recipe, cache_dir: str | None, device: torch.device) -> Measurement:
    """The score that a recipe makes, by `eval.py`'s own measure."""
    node = OmegaConf.create({"cache_dir": cache_dir})
    for key, value in recipe.items():
        OmegaConf.update(node, key, value, force_add=True)
    node.data.image_shape = [node.data.channels, node.data.size, node.data.size]
    (subject,) = subjects(node, [node.run] if node.run else [], device, keep=False)
    samples, coding = subject.samples, recipe["jpeg"]
    if coding:
        subject.samples = lambda rows: code_as_jpeg(samples(rows), coding)
    (found,) = Frechet()(subject)
    return found


def _jpeg(recipe: Recipe) -> Coding | None:
    """How the images of a folder were coded, by the first of them; None for a run."""
    return jpeg_coding(find_files(Path(recipe["images"]), "images")[0]) if recipe["images"] else None


def _shown(field: str, score: StoredScore, other: StoredScore) -> Any:
    """The value of a field, as a table shows it."""
    recipe, stamp = score.recipe, score.stamp
    if field in ("model", "images"):
        own, others = (Path(one.recipe["run"] or one.recipe["images"]).absolute() for one in (score, other))
        return str(own.relative_to(commonpath([own.parent, others.parent])))
    if field == "JPEG":
        return "yes" if _jpeg(recipe) else "no"
    if field in ("size", "channels"):
        return recipe[f"data.{field}"]
    return getattr(stamp, "images" if field == "data" and stamp.data == other.stamp.data else field)


def _show(a: StoredScore, b: StoredScore, start: Measurement, rows: list[Row]) -> None:
    """Print both scores, what lies between them, and what to mind."""
    out, table = console(), Table()
    for name, score in zip("AB", (a, b), strict=True):
        interval = plus_minus(score.error and NORMAL * score.error)
        out.print(f"{name}: {score.stamp.metric} {score.value:.5g}{interval}, {score.name}", soft_wrap=True)
    for column in ("field", "A", "B", "score", "effect"):
        table.add_column(column, justify="right" if column in ("score", "effect") else "left", overflow="fold")
    table.add_row("A, computed again", "", "", f"{start.value:.5g}", "")
    for row in rows:
        texts = ["–" if value is None else str(value) for value in (row.a, row.b)]
        table.add_row(row.field, *texts, f"{row.score:.5g}", f"{row.effect:+.4g}")
    table.add_row("B - A", "", "", "", f"{b.value - a.value:+.4g}")
    out.print(table)
    if changed := differences(a.stamp, start.stamp):
        said = "; ".join(f"{field} was {then} and is {now}" for field, (then, now) in changed.items())
        out.print(f"A is computed by another protocol now than it was: {said}.")
    out.print(IN_ORDER)
