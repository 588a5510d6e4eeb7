"""A data set made ready for training, and shown."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from genlab.data import ImageDataModule
from genlab.images import grid, save_png, to_float
from genlab.runs.build import build
from genlab.runs.machine import quieten

N_EXAMPLES, N_COLUMNS = 96, 12


def prepare(cfg: DictConfig) -> Path:
    """Download and decode a data set where that is still to do, print what is in it, and draw a contact sheet.

    Returns:
        Path of the contact sheet: training images as a model sees them.

    Raises:
        UsageError: if the data set can't be had, read or kept.
    """
    quieten()
    datamodule: ImageDataModule = build(cfg.data)
    datamodule.setup()
    console = Console()
    console.print(_table(datamodule))
    path = Path(cfg.output or f"{cfg.paths.run_dir}/contact_sheet.png")
    save_png(grid(to_float(datamodule.examples("train", N_EXAMPLES)), N_COLUMNS), path)
    print(path)
    return path


def _table(datamodule: ImageDataModule) -> Table:
    table = Table(title=datamodule.name, title_justify="left", show_header=False)
    for key, value in _facts(datamodule).items():
        table.add_row(key.replace("_", " "), value)
    return table


def _facts(datamodule: ImageDataModule) -> dict[str, str]:
    facts = {f"{name} images": f"{len(split.images):,}" for name, split in datamodule.splits.items()}
    facts["shape"] = " x ".join(map(str, datamodule.image_shape))
    manifest: dict[str, Any] = getattr(datamodule.source, "manifest", {})
    if not manifest:
        return facts
    names, rejected = manifest["label_names"], manifest["rejected"]
    return facts | {
        "grey originals": f"{manifest['grey']:,}",
        "mean level, by channel": ", ".join(f"{level:.1f}" for level in manifest["mean"]),
        "standard deviation": ", ".join(f"{level:.1f}" for level in manifest["std"]),
        "labels": f"{len(names)}: " + ", ".join(name or "(top folder)" for name in names) if names else "none",
        "rejected files": "\n".join(f"{name}: {reason}" for name, reason in rejected.items()) or "none",
        "kept in": manifest["folder"],
    }
