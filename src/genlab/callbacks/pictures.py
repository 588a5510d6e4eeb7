"""Pictures that are made at intervals, kept in the run folder and shown by the loggers that can."""

from abc import abstractmethod
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from torch import Generator, Tensor
from torchvision.transforms.v2.functional import to_pil_image

from genlab.bounds import PositiveInt
from genlab.conditioning import condition_of, given, labels_for
from genlab.files import warn_on_failure
from genlab.images import above, grid, save_picture, to_float
from genlab.protocols import Reconstructs, Samples, require
from genlab.sampling import decode_codes, label_rows, sampler
from genlab.trainer.schedule import is_measured


class Pictures(Callback):
    """Has a subclass draw at every n-th epoch and at the end, on one process: `epoch_0005.png`, ..."""

    key: str  # under which loggers show it
    dirpath: Path
    every_n_epochs: int

    @abstractmethod
    def draw(self, pl_module: Any, data: Any) -> Tensor:
        """A picture (3, H, W) in [0, 1]."""

    @torch.no_grad()
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw, keep and show it: neither the disk nor a logger ends the run."""
        if not is_measured(trainer, self.every_n_epochs) or not trainer.is_global_zero:
            return
        picture = self.draw(pl_module, trainer.datamodule)  # type: ignore[attr-defined]
        with warn_on_failure(f"{self.dirpath.name}/"):
            save_picture(picture, self.dirpath / f"epoch_{trainer.current_epoch + 1:04d}.png")
        for logger in trainer.loggers:
            with warn_on_failure(type(logger).__name__, Exception):
                if isinstance(logger, WandbLogger):
                    logger.log_image(self.key, [to_pil_image(picture)], step=trainer.global_step)
                elif isinstance(logger, TensorBoardLogger):
                    logger.experiment.add_image(self.key, picture, trainer.global_step)


class SampleGrid(Pictures):
    """Samples from the same noise every time, which the seed fixes; of a conditional model a row for each label."""

    key = "samples/grid"

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
        require(pl_module, Samples, "callbacks.samples", "remove it with ~callbacks.samples")

    def draw(self, pl_module: Any, data: Any) -> Tensor:
        n = self.n_rows * self.n_columns
        if condition_of(pl_module) is not None:
            codes, y, _ = label_rows(pl_module, self.n_columns, self.seed)
            generator = Generator().manual_seed(self.seed)
            return grid(decode_codes(pl_module, data, codes, generator, y=y), self.n_columns)
        return grid(sampler(pl_module, data, n, Generator().manual_seed(self.seed))(slice(n)), self.n_columns)


class ReconstructionGrid(Pictures):
    """The same test images, from all over the split, above their reconstructions; `n_columns` pairs in a row."""

    key = "reconstructions/grid"

    def __init__(
        self, dirpath: str, n_pairs: PositiveInt = 24, n_columns: PositiveInt = 8, every_n_epochs: PositiveInt = 5
    ):
        self.dirpath = Path(dirpath)
        self.n_pairs = n_pairs
        self.n_columns = n_columns
        self.every_n_epochs = every_n_epochs

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        remedy = "remove it with ~callbacks.reconstructions, or choose callbacks=without_encoder"
        require(pl_module, Reconstructs, "callbacks.reconstructions", remedy)

    def draw(self, pl_module: Any, data: Any) -> Tensor:
        x = to_float(data.examples("test", self.n_pairs).to(pl_module.device))
        y = labels_for(pl_module, data.example_labels("test", self.n_pairs))
        return grid(above(x, pl_module.reconstruct(x, **given(y)), self.n_columns), self.n_columns)
