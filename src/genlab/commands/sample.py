"""Pictures of a trained model. A mode maps a run and a generator to a picture (3, H, W) in [0, 1]."""

from pathlib import Path

import torch
from omegaconf import DictConfig
from torch import Generator, Tensor

from genlab.bounds import AtLeastTwo, PositiveInt
from genlab.commands.load import Run, load_run
from genlab.config.build import build, check_config
from genlab.images import above, grid, save_picture, to_float
from genlab.outputs import picture_path, writing
from genlab.protocols import Reconstructs, require
from genlab.sampling import sampler


def sample(cfg: DictConfig) -> Path:
    """Write a picture of a run, print its path and return it."""
    check_config(cfg)
    mode = build(cfg.mode)
    run = load_run(cfg.run, cfg.weights)
    path = picture_path(cfg.output, Path(cfg.paths.run_dir) / f"{type(mode).__name__.lower()}.png")
    if torch.accelerator.is_available():
        run.model.to(torch.accelerator.current_accelerator())
    with torch.no_grad():
        picture = mode(run, Generator().manual_seed(cfg.seed))
    with writing("output", path):
        save_picture(picture, path)
    print(path)
    return path


class Grid:
    """Samples in rows and columns."""

    def __init__(self, n_rows: PositiveInt = 8, n_columns: PositiveInt = 8) -> None:
        self.n_rows, self.n_columns = (
            n_rows,
            n_columns,
        )

    def __call__(self, run: Run, generator: Generator) -> Tensor:
        n = self.n_rows * self.n_columns
        return grid(sampler(run.model, run.datamodule, n, generator)(slice(n)), self.n_columns)


class Reconstruct:
    """Test images above their reconstructions."""

    def __init__(self, n_rows: PositiveInt = 3, n_columns: PositiveInt = 8) -> None:
        self.n_rows, self.n_columns = (
            n_rows,
            n_columns,
        )

    def __call__(self, run: Run, generator: Generator) -> Tensor:
        require(run.model, Reconstructs, "mode=reconstruct", "choose mode=grid")
        images = run.datamodule.examples("test", self.n_rows * self.n_columns)
        x = to_float(images.to(run.model.device))
        return grid(above(x, run.model.reconstruct(x), self.n_columns), self.n_columns)  # type: ignore[operator]


class Interpolate:
    """Straight lines through code space, one a row, from one prior code to another."""

    def __init__(self, n_rows: PositiveInt = 8, n_columns: AtLeastTwo = 10) -> None:
        self.n_rows, self.n_columns = (
            n_rows,
            n_columns,
        )

    def __call__(self, run: Run, generator: Generator) -> Tensor:
        start, end = run.model.prior(2 * self.n_rows, generator).chunk(2)
        share = torch.linspace(0, 1, self.n_columns, device=start.device)[None, :, None]
        return grid(run.model.decode(start[:, None].lerp(end[:, None], share).flatten(0, 1)), self.n_columns)
