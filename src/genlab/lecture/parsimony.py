"""How short a code may be: autoencoders of several latent dimensions beside PCA."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from genlab.images import to_float
from genlab.lecture.claim import Claim, Evidence, Statement, is_falling
from genlab.lecture.runs import Runs
from genlab.metrics.reconstruction import reconstruction_errors
from genlab.report.style import COLOURS, describe, panels

FLAT = 0.1


class Parsimony(Claim):
    """Test errors over the latent dimension."""

    title = "Parsimony"
    sentence = (
        "The reconstruction error ‖x − Ψ(Φ(x))‖² falls with the dimension of the code z and flattens; the autoencoder "
        "lies below PCA, the best linear Φ and Ψ, of the same dimension at each."
    )
    experiment = (
        "Autoencoders that differ in the latent dimension alone, trained on 4,000 digits for the same number of "
        "epochs; PCA of the same digits. The error is the mean over 500 test digits, per pixel on the scale [0, 1]."
    )
    dims: tuple[int, ...] = (2, 4, 8, 16, 32)
    sweeps = (f"experiment=lecture/parsimony model.latent_dim={','.join(map(str, dims))}",)

    def measure(self, runs: Runs) -> Evidence:
        rows = [self._row(runs("experiment=lecture/parsimony", f"model.latent_dim={dim}"), dim) for dim in self.dims]
        table = pd.DataFrame(rows)
        caption = "Mean squared error of test digits."
        return Evidence(draw(table), caption, table, judge(self.dims, list(table["autoencoder"]), list(table["PCA"])))

    def _row(self, run: Any, dim: int) -> dict[str, float]:
        data, model = run.datamodule, run.model
        train, x = (to_float(data.images(split)[:]) for split in ("train", "test"))
        pca = PCA(dim).fit(train.flatten(1).numpy())
        linear = torch.from_numpy(pca.inverse_transform(pca.transform(x.flatten(1).numpy()))).view_as(x)
        with torch.no_grad():
            x_hat = model.reconstruct(x)
        errors = {"autoencoder": x_hat, "PCA": linear.float()}
        return {
            "latent dimension": dim,
            **{k: reconstruction_errors(x, v).mse.mean().item() for k, v in errors.items()},
        }


def judge(dims: Sequence[int], autoencoder: Sequence[float], pca: Sequence[float]) -> list[Statement]:
    """Errors over rising dimensions."""
    gains = -np.diff(autoencoder) / np.diff(dims)  # of each further dimension
    return [
        Statement("the autoencoder's error falls with the latent dimension, at each step", is_falling(autoencoder)),
        Statement(
            f"it flattens: each further dimension gains less, the last ones below {FLAT:g} times the gain of the first",
            is_falling(gains.tolist()) and bool(gains[-1] < FLAT * gains[0]),
        ),
        Statement("the autoencoder lies below PCA at each", all(a < b for a, b in zip(autoencoder, pca, strict=True))),
    ]


def draw(table: pd.DataFrame) -> Figure:
    figure, axes = panels(1, size=(5.6, 3.4))
    for name, colour, mark in (("autoencoder", COLOURS[0], "o"), ("PCA", COLOURS[1], "s")):
        axes[0].plot(table["latent dimension"], table[name], color=colour, marker=mark, label=name)
    describe(axes[0], "Reconstruction error", "latent dimension", "test MSE")
    axes[0].set_ylim(bottom=0)
    axes[0].legend()
    return figure
