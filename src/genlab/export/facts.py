"""What is known of an exported run, as plain values: `config.json`, of which the model card tells."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePath
from typing import Any

import torch

from genlab.data import ImageDataModule
from genlab.data.datamodule import SPLITS
from genlab.foreign import is_number, printable
from genlab.protocols import LoadedRun
from genlab.redaction import map_texts
from genlab.run.adopt import PLACE
from genlab.run.checkpoint import explain_damage, read_checkpoint
from genlab.run.summary import read_outcome
from genlab.sampling import is_drawn
from genlab.stamp import prior_of


def describe(run: LoadedRun) -> dict[str, Any]:
    """The facts of a run, as they may be published: without the places where its data lie."""
    model, checkpoint = run.model, read_checkpoint(run.checkpoint)
    with explain_damage(run.checkpoint):
        images = checkpoint.get(ImageDataModule.__qualname__, {})
        n_images = {split: int(images[split]["images"]) for split in SPLITS if split in images}
        measured = scores(run, checkpoint)
    told = model.condition
    labels = None if told is None else {"condition": told.typed, "names": told.names, "told": list(told.groups)}
    facts = {
        "genlab": _version(),
        "torch": torch.__version__.partition("+")[0],
        "architecture": type(model).__name__,
        "image_shape": list(model.image_shape),
        "latent_shape": list(model.latent_shape),
        "latent_dim": model.latent_dim,
        "noise_shape": list(model.noise_shape),
        "prior": prior_of(model),
        "labels": labels,
        "weights": model.weights_in_use,
        "samples": "drawn" if is_drawn(model, run.datamodule) else "decoded",
        "images_seen": model.images_seen,
        "data": {"name": run.datamodule.name, **n_images},
        "scores": measured,
        "configuration": {"model": run.config["model"], "data": _without_places(run.config["data"])},
    }
    published: dict[str, Any] = map_texts(facts, lambda text: shown_name(printable(text)))
    return published


def shown_name(text: str) -> str:
    """A text without the folders of this machine: of an absolute path the last part."""
    return PurePath(text).name if PurePath(text).is_absolute() else text


def scores(run: LoadedRun, checkpoint: dict[str, Any]) -> list[dict[str, Any]]:
    """The scores of these very weights, each with its name, its value and its protocol.

    They are those of the summary, if it was written when the checkpoint was, or of an earlier `best.ckpt` its own.
    """
    summary = read_outcome(run.checkpoint.parent.parent).summary
    found = []
    if summary.get("images_seen") == run.model.images_seen:
        metrics = [part for part in (summary.get("metrics") or {}).values() if isinstance(part, dict)]
        found = [(part.get("value"), part.get("protocol")) for part in metrics]
    elif run.checkpoint.name == "best.ckpt":
        states = [state for state in checkpoint.get("callbacks", {}).values() if "best_protocol" in state]
        found = [(state["best_score"], state["best_protocol"]) for state in states]
    return [
        {"name": protocol["metric"], "value": value, "protocol": protocol}
        for value, protocol in found
        if is_number(value)
        and isinstance(protocol, dict)
        and "metric" in protocol
        and protocol.get("weights") == run.model.weights_in_use
        and protocol.get("prior") == prior_of(run.model)
    ]


def _without_places(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_places(part) for key, part in node.items() if not PLACE.search(str(key))}
    return [_without_places(part) for part in node] if isinstance(node, list) else node


def _version() -> str | None:
    try:
        return version("genlab")
    except PackageNotFoundError:  # run from a clone that is not installed
        return None
