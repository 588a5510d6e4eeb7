"""Pictures of what a run has learnt."""

from pathlib import Path

import torch
from omegaconf import DictConfig
from torch import Generator

from genlab.commands.load import load_run
from genlab.config.build import build, check_config
from genlab.files import atomic_write
from genlab.modes.mode import Mode
from genlab.outputs import output_path, writing


def sample(cfg: DictConfig) -> Path:
    """Write what a mode shows of a run, print the file's path and return it."""
    check_config(cfg)
    mode: Mode = build(cfg.mode)
    formats = [mode.format] if mode.format else mode.formats
    path = output_path(cfg.output, Path(cfg.paths.run_dir) / mode.name, formats, cfg.overwrite)
    run = load_run(cfg.run, cfg.weights, cfg.get("prior"), cfg.ema)
    mode.check(run)
    if torch.accelerator.is_available():
        run.model.to(torch.accelerator.current_accelerator())
    with torch.no_grad():
        drawing = mode(run, Generator().manual_seed(cfg.seed))
    with writing("output", path), atomic_write(path) as unfinished, unfinished.open("wb") as file:
        drawing.write(file, path.suffix.lower())
    print(path)
    return path
