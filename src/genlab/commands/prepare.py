"""A data set made ready for training, and shown."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.table import Table

from genlab.commands.machine import quieten
from genlab.config.build import build, check_config
from genlab.console import console
from genlab.data import ImageDataModule
from genlab.data.manifest import classes
from genlab.data.sums import check_sums
from genlab.errors import UsageError
from genlab.images import grid, save_picture, to_float
from genlab.outputs import output_path, writing
from genlab.redaction import redact

N_EXAMPLES, N_COLUMNS = 96, 12


def prepare(cfg: DictConfig) -> Path:
    """Download and decode a data set where that is still to do, print what is in it, and draw a contact sheet.

    Returns:
        Path of the contact sheet: training images as a model sees them.

    Raises:
        UsageError: if the data set can't be had, read or kept, or if `verify` finds that it is not what was written.
    """
    quieten()
    check_config(cfg)
    path = output_path(cfg.output, Path(cfg.paths.run_dir) / "contact_sheet", overwrite=True)
    datamodule: ImageDataModule = build(cfg.data)
    datamodule.setup()
    if cfg.verify:
        _verify(getattr(datamodule.source, "manifest", {}))
    console().print(_table(datamodule))
    with writing("output", path):
        save_picture(grid(to_float(datamodule.examples("train", N_EXAMPLES)), N_COLUMNS), path)
    print(path)
    return path


def _verify(manifest: dict[str, Any]) -> None:
    """Look at every byte of what is kept of a data set; one that is read where it is has nothing to look at."""
    folder = redact(manifest.get("folder", ""))
    if manifest and "sums" not in manifest:
        raise UsageError(f"{folder} was made before sums were kept: delete it, and it is made again with them.")
    try:
        check_sums(Path(manifest.get("folder", "")), manifest.get("sums", {}), None)
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder} is damaged ({error}): delete it, and it is made again.") from error


def _table(datamodule: ImageDataModule) -> Table:
    facts = {f"{name} images": f"{len(split.images):,}" for name, split in datamodule.splits.items()}
    facts["shape"] = " x ".join(map(str, datamodule.image_shape))
    if manifest := getattr(datamodule.source, "manifest", {}):
        names, rejected, left_out = manifest["label_names"], manifest["rejected"], manifest.get("left_out", {})
        facts |= {
            "grey originals": f"{manifest['grey']:,}",
            "mean level, by channel": ", ".join(f"{level:.1f}" for level in manifest["mean"]),
            "standard deviation": ", ".join(f"{level:.1f}" for level in manifest["std"]),
            "labels": f"{len(names)}: {', '.join(names)}" if names else classes(manifest),
            "left out files": "\n".join(f"{n:,} {kind}" for kind, n in left_out.items()) or "none",
            "rejected files": "\n".join(f"{name}: {reason}" for name, reason in rejected.items()) or "none",
            "kept in": redact(manifest["folder"]),
        }
    table = Table(title=datamodule.name, title_justify="left", show_header=False)
    for key, value in facts.items():
        table.add_row(key.replace("_", " "), value)
    return table
