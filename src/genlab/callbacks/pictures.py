"""Pictures that are made at intervals, kept in the run folder and shown by the loggers that can."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from torch import Generator, Tensor
from torchvision.transforms.v2.functional import to_pil_image

from genlab.bounds import PositiveInt
from genlab.files import warn_on_failure
from genlab.images import above, grid, save_picture, to_float
from genlab.protocols import Reconstructs, Samples, require
from genlab.sampling import sampler
from genlab.trainer.schedule import is_measured


def show(trainer: Trainer, key: str, picture: Tensor) -> None:
    """Hand a picture (3, H, W) in [0, 1] to every logger that shows images."""
    for logger in trainer.loggers:
        with warn_on_failure(type(logger).__name__, Exception):
            if isinstance(logger, WandbLogger):
                logger.log_image(key, [to_pil_image(picture)], step=trainer.global_step)
            elif isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image(key, picture, trainer.global_step)


def keep(picture: Tensor, folder: Path, trainer: Trainer) -> None:
    """Write a picture (3, H, W) in [0, 1] as `epoch_0005.png`, if the disk takes it."""
    with warn_on_failure(f"{folder.name}/"):
        save_picture(picture, folder / f"epoch_{trainer.current_epoch + 1:04d}.png")


class SampleGrid(Callback):
    """Samples from the same noise at every n-th epoch and at the end: `epoch_0005.png`, ...

    Args:
        dirpath: folder for the pictures.
        n_rows, n_columns: of the grid.
        every_n_epochs: how often.
        seed: fixes the noise.
    """

    def __init__(
        self,
        dirpath: str,
        n_rows: PositiveInt = 8,
        n_columns: PositiveInt = 8,
        every_n_epochs: PositiveInt = 5,
        seed: int = 0,
    ):
        self.dirpath, self.seed = Path(dirpath), seed
        self.n_rows = n_rows
        self.n_columns = n_columns
        self.every_n_epochs = every_n_epochs

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse a model that can't sample."""
        require(pl_module, Samples, "callbacks.samples", "remove it with ~callbacks.samples")

    @torch.no_grad()
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Draw the grid and write it, on one process."""
        if not is_measured(trainer, self.every_n_epochs) or not trainer.is_global_zero:
            return
        n = self.n_rows * self.n_columns
        samples = sampler(pl_module, trainer.datamodule, n, Generator().manual_seed(self.seed))  # type: ignore[attr-defined]
        picture = grid(samples(slice(n)), self.n_columns)
        keep(picture, self.dirpath, trainer)
        show(trainer, "samples/grid", picture)


class ReconstructionGrid(Callback):
    """The same test images above their reconstructions at every n-th epoch and at the end: `epoch_0005.png`, ...

    Args:
        dirpath: folder for the pictures.
        n_pairs: how many test images, from all over the split.
        n_columns: pairs in a row.
        every_n_epochs: how often.
    """

    def __init__(
        self, dirpath: str, n_pairs: PositiveInt = 24, n_columns: PositiveInt = 8, every_n_epochs: PositiveInt = 5
    ):
        self.dirpath = Path(dirpath)
        self.n_pairs = n_pairs
        self.n_columns = n_columns
        self.every_n_epochs = every_n_epochs

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse a model without an encoder."""
        remedy = "remove it with ~callbacks.reconstructions, or choose callbacks=without_encoder"
        require(pl_module, Reconstructs, "callbacks.reconstructions", remedy)

    @torch.no_grad()
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Draw the grid and write it, on one process."""
        if not is_measured(trainer, self.every_n_epochs) or not trainer.is_global_zero:
            return
        x = to_float(trainer.datamodule.examples("test", self.n_pairs).to(pl_module.device))  # type: ignore[attr-defined]
        picture = grid(above(x, pl_module.reconstruct(x), self.n_columns), self.n_columns)
        keep(picture, self.dirpath, trainer)
        show(trainer, "reconstructions/grid", picture)
