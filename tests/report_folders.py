"""Run folders made by hand, as small as a report can read them."""

import json
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

PROTOCOL = {"metric": "fd", "data": "digits", "images": "abc", "split": "train", "n_real": 100, "n_fake": 50}


def make_run(
    folder: Path,
    value: float | None = 1.0,
    *,
    model: str = "VAE",
    data: str = "digits",
    latent_dim: int = 8,
    seed: int = 0,
    status: str = "completed",
    protocol: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    **summary: Any,
) -> Path:
    """Make a run of two validations, with pictures of 8 x 2 images; anything of its summary can be set."""
    folder.mkdir(parents=True)
    settings = {
        "data": {"name": data, "image_shape": [1, 4, 4], "seed": seed},
        "model": {"_target_": f"genlab.models.{model}", "latent_dim": latent_dim},
        "callbacks": {"samples": {"dirpath": f"{folder}/samples", "n_columns": 8}},
        "paths": {"run_dir": str(folder)},
        "seed": seed,
        **(config or {}),
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    metrics: dict[str, Any] = {"val/loss": {"value": 2.5}, "train/images_seen": {"value": 20}}
    if value is not None:
        metrics["val/fd"] = {"value": value, "protocol": PROTOCOL | {"data": data} | (protocol or {})}
        summary.setdefault("score", {"name": "val/fd", "value": value})
    known = {
        "status": status,
        "metrics": metrics,
        "images_seen": 20,
        "seconds": 4.0,
        "parameters": {"total": 100},
        "overrides": [f"model={model.lower()}", f"model.latent_dim={latent_dim}", f"seed={seed}"],
    }
    (folder / "summary.json").write_text(json.dumps(known | summary))
    (folder / "metrics.csv").write_text(
        f"step,val/loss,val/fd,train/images_seen\n0,3.5,,10\n1,2.5,{'' if value is None else value},20\n"
    )
    for kind in ("samples", "reconstructions"):
        (folder / kind).mkdir()
        for epoch in (1, 2):
            Image.new("L", (50, 14), 90 * epoch).save(folder / kind / f"epoch_{epoch:04d}.png")
    return folder
