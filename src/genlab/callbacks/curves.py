"""Curves of all metrics over images seen."""

from pathlib import Path

import pandas as pd
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException
from matplotlib.figure import Figure

from genlab.bounds import PositiveInt
from genlab.files import atomic_write, warn_on_failure
from genlab.run.history import images_seen
from genlab.stamp import NORMAL, error_key
from genlab.trainer.schedule import is_due

COLUMNS, WIDTH, HEIGHT = 3, 4.2, 3.0  # of panels; inches of one


class Curves(Callback):
    """Draws `metrics.csv` of a run folder as `curves.png` at every n-th epoch, at the end, and when a run fails."""

    def __init__(self, dirpath: str, every_n_epochs: PositiveInt = 10) -> None:
        self.dirpath = Path(dirpath)
        self.every_n_epochs = every_n_epochs

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if is_due(trainer, self.every_n_epochs):
            self._draw(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Draw what there is, unless a signal stops the run: it may have seconds left, and can be resumed."""
        if not isinstance(exception, SIGTERMException):
            self._draw(trainer)

    def _draw(self, trainer: Trainer) -> None:
        source = self.dirpath / "metrics.csv"
        if trainer.is_global_zero and source.is_file():
            with warn_on_failure("curves.png"):
                draw_curves(pd.read_csv(source), self.dirpath / "curves.png")


def draw_curves(metrics: pd.DataFrame, path: Path) -> None:
    """Draw one panel a metric, training and validation together, and one of all gradient norms, as a PNG.

    A metric with a standard error has its 95% interval as a band.

    Args:
        metrics: columns `step`, `train/images_seen` and `phase/name`, as in `metrics.csv`.
        path: the file to write.
    """
    curves = metrics.set_index(images_seen(metrics)).dropna(axis="columns", how="all")
    panels: dict[str, list[str]] = {}
    errors = curves.columns.intersection([error_key(key) for key in curves.columns])
    for key in curves.columns.drop(["train/images_seen", *errors], errors="ignore"):
        if "/" in key:  # gradient norms share a panel: each panel takes its time to draw
            name = "grad_norm" if key.startswith("health/grad_norm_") else key.split("/", 1)[1]
            panels.setdefault(name, []).append(key)
    if not panels:
        return
    n_columns, n_rows = min(COLUMNS, len(panels)), -(-len(panels) // COLUMNS)
    width, height = WIDTH * n_columns, HEIGHT * n_rows
    figure = Figure(figsize=(width, height))  # a constrained layout takes as long as all the drawing
    margins = {"left": 0.7 / width, "right": 1 - 0.2 / width, "bottom": 0.5 / height, "top": 1 - 0.2 / height}
    figure.subplots_adjust(**margins, wspace=0.25, hspace=0.25)
    for number, (_, keys) in enumerate(sorted(panels.items()), 1):
        axis = figure.add_subplot(n_rows, n_columns, number)
        for key in keys:
            points = curves[key].dropna()
            (line,) = axis.plot(points, label=key, marker="." if len(points) < 30 else None)
            if error_key(key) in errors:
                both = curves[[key, error_key(key)]].dropna()
                points, half = both[key], NORMAL * both[error_key(key)]
                axis.fill_between(both.index, points - half, points + half, alpha=0.2, color=line.get_color())
        axis.set(xlabel="images seen")
        axis.ticklabel_format(axis="y", scilimits=(-3, 4))  # no label is wider than its margin
        axis.legend(fontsize=8)
        axis.grid(alpha=0.3)
    with atomic_write(path) as file:
        figure.savefig(file, dpi=110, format="png")
