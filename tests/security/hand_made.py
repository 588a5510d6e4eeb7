"""A run made by hand, small and without a step of training, and what somebody may do to it."""

import io
from copy import deepcopy
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import torch
import yaml
from lightning.pytorch import Trainer
from omegaconf import OmegaConf
from settings import config

from genlab.config.build import build

SMALL = (
    *("model=ae", "model/encoder=mlp", "model/decoder=mlp", "model.encoder.width=2", "model.decoder.width=2"),
    *("model.latent_dim=1", "data.size=8", "data.limit=16", "data.batch_size=16", "trainer=cpu"),
    *("trainer.max_epochs=1", "callbacks=checkpoint"),
)
VALUES = (None, True, -1, 2.5, 2**40, "x", "", [], {}, [1], {"a": 1}, "${oc.env:HOME}", "${nowhere}", float("nan"))


@cache
def _made(folder: Path) -> dict[str, Any]:
    cfg = config(*SMALL, run_dir=folder)
    model, trainer = build(cfg.model), Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    loops = {"fit_loop": trainer.fit_loop.state_dict(), "validate_loop": trainer.validate_loop.state_dict()}
    return {
        "config": OmegaConf.to_container(cfg, resolve=True),
        "state_dict": model.state_dict(),
        "loops": loops,
        "callbacks": {"Checkpoint": {"best_score": 1.0}},
        "optimizer_states": [model.configure_optimizers().state_dict()],
        "lr_schedulers": [],
        "epoch": 0,
        "global_step": 0,
        "images_seen": 0,
        "pytorch-lightning_version": "2.6.6",
    }


def state(folder: Path) -> dict[str, Any]:
    """What the checkpoint of a run in a folder holds."""
    return deepcopy(_made(folder))


def put_run(folder: Path, checkpoint: Any) -> Path:
    """Write a run folder with this checkpoint."""
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    torch.save(checkpoint, folder / "checkpoints" / "last.ckpt")
    known = checkpoint.get("config") if isinstance(checkpoint, dict) else None
    (folder / "config.yaml").write_text(yaml.safe_dump(known))
    return folder


def changed(folder: Path, key: str, value: Any) -> dict[str, Any]:
    """The checkpoint with another value at a key of its configuration."""
    found = state(folder)
    *way, last = key.split(".")
    node = found["config"]
    for part in way:
        node = node.setdefault(part, {})
    node[last] = value
    return found


def mutated(content: dict[str, Any], numbers: Random) -> bytes:
    """The file of a checkpoint with an entry less or another value anywhere, a byte flipped, or the end cut off."""
    how = numbers.choice(("entry", "entry", "value", "value", "flip", "cut"))
    content = deepcopy(content)
    if how in ("entry", "value"):
        nodes = [node for node in _containers(content) if len(node)]
        node = numbers.choice(nodes)
        key = numbers.choice(list(node) if isinstance(node, dict) else range(len(node)))
        if how == "entry":
            del node[key]
        else:
            node[key] = numbers.choice(VALUES)
    buffer = io.BytesIO()
    torch.save(content, buffer)
    data = bytearray(buffer.getvalue())
    if how == "flip":
        data[numbers.randrange(len(data))] ^= 1 << numbers.randrange(8)
    return bytes(data[: numbers.randrange(len(data))] if how == "cut" else data)


def _containers(node: Any) -> list[Any]:
    """All mappings and lists in it, and itself; those near the root stand there several times."""
    if not isinstance(node, dict | list):
        return []
    parts = node.values() if isinstance(node, dict) else node
    return [node, *(found for part in parts for found in _containers(part))]
