"""Curves of all metrics over images seen."""

from pathlib import Path

import numpy as np
import pandas as pd
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException
from matplotlib.figure import Figure

from genlab.bounds import PositiveInt
from genlab.files import atomic_write, warn_on_failure
from genlab.trainer.schedule import is_due


class Curves(Callback):
    """Draws `metrics.csv` as `curves.png` at every n-th epoch, at the end, and when a run fails.

    Args:
        dirpath: the run folder.
        every_n_epochs: how often.
    """

    def __init__(self, dirpath: str, every_n_epochs: PositiveInt = 10) -> None:
        self.dirpath = Path(dirpath)
        self.every_n_epochs = every_n_epochs

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw, if it is time to."""
        if is_due(trainer, self.every_n_epochs):
            self._draw(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Draw what there is, unless the run was told to stop: it may have seconds left, and can be resumed."""
        if not isinstance(exception, SIGTERMException):
            self._draw(trainer)

    def _draw(self, trainer: Trainer) -> None:
        source = self.dirpath / "metrics.csv"
        if trainer.is_global_zero and source.is_file():
            with warn_on_failure("curves.png"):
                draw_curves(pd.read_csv(source), self.dirpath / "curves.png")


def draw_curves(metrics: pd.DataFrame, path: Path) -> None:
    """Draw one panel a metric, training and validation together, and one of all gradient norms, over images seen.

    Args:
        metrics: columns `step`, `train/images_seen` and `phase/name`, as in metrics.csv.
        path: the PNG to write.
    """
    x = _images_seen(metrics)
    keys = [key for key in metrics.columns if "/" in key and key != "train/images_seen" and metrics[key].notna().any()]
    panels = sorted({_panel(key) for key in keys})
    if not panels:
        return
    n_columns = min(3, len(panels))
    n_rows = -(-len(panels) // n_columns)
    figure = Figure(figsize=(4.2 * n_columns, 3 * n_rows), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axis, panel in zip(axes, panels, strict=False):
        for key in (key for key in keys if _panel(key) == panel):
            points = metrics[key].dropna()
            axis.plot(x[points.index], points, label=key, marker="." if len(points) < 30 else None)
        axis.set(xlabel="images seen")
        axis.legend(fontsize=8)
        axis.grid(alpha=0.3)
    for axis in axes[len(panels) :]:
        axis.remove()
    with atomic_write(path) as file:
        figure.savefig(file, dpi=110, format="png")


def _panel(key: str) -> str:
    """Norms of several networks fit into one panel, and each panel takes its time to draw."""
    return "grad_norm" if key.startswith("health/grad_norm_") else key.split("/", 1)[1]


def _images_seen(metrics: pd.DataFrame) -> np.ndarray:
    """Images seen at each row; rows of validation lie between those of training that count them."""
    if "train/images_seen" not in metrics:
        return metrics["step"].to_numpy(float)
    known = metrics.dropna(subset=["train/images_seen"])
    images_per_step = (known["train/images_seen"] / (known["step"] + 1)).iloc[-1]
    return ((metrics["step"] + 1) * images_per_step).to_numpy()
