"""sigma^2 trades the fit against the regularisation."""

from collections.abc import Mapping

import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Generator, Tensor

from genlab.images import to_float
from genlab.lecture.claim import Claim, Evidence, Statement, is_falling
from genlab.lecture.runs import Runs
from genlab.losses import kl_to_standard_normal
from genlab.metrics.reconstruction import reconstruction_errors
from genlab.models import VAE, reparametrise
from genlab.report.style import COLOURS, describe, panels, ticks_at

SIGMAS = (3.2, 1.6, 0.8, 0.4, 0.2)


class Sigma(Claim):
    """VAEs that differ in sigma alone."""

    title = "σ² trades fit against regularisation"
    sentence = (
        "For p(x|z) = N(Ψ(z), σ²I) the negative ELBO is ‖x − Ψ(z)‖² / 2σ² + KL(q(z|x) ‖ p(z)) up to a constant: as σ "
        "falls the fit weighs more, so the squared error falls and the KL rises. (β in front of the KL is the same as "
        "σ² → βσ².)"
    )
    experiment = "Five VAEs that differ in σ alone, and their errors and KL on 500 test digits."
    sweeps = (f"experiment=lecture/sigma model.likelihood.sigma={','.join(map(str, SIGMAS))}",)

    def measure(self, runs: Runs) -> Evidence:
        found = {s: runs("experiment=lecture/sigma", f"model.likelihood.sigma={s}") for s in SIGMAS}
        x = to_float(found[SIGMAS[0]].datamodule.images("test")[:])
        table = fit_and_kl({sigma: run.model for sigma, run in found.items()}, x)
        caption = "Test digits: mean squared error of Ψ(z) with z ~ q(z|x), on the scale [0, 1], and KL(q(z|x) ‖ p(z))."
        return Evidence(draw(table), caption, table, judge(table))


@torch.no_grad()
def fit_and_kl(models: Mapping[float, VAE], x: Tensor) -> pd.DataFrame:
    """The error for z ~ q(z|x) and the KL of images (B, C, H, W), by sigma, under models that differ in it."""
    rows = []
    for sigma, model in models.items():
        mean, logvar = model.posterior(x)
        x_hat = model.decode(reparametrise(mean, logvar, Generator().manual_seed(0)))
        mse = reconstruction_errors(x, x_hat).mse.mean().item()
        rows.append({"σ": sigma, "test MSE": mse, "KL in nats": kl_to_standard_normal(mean, logvar).mean().item()})
    return pd.DataFrame(rows)


def judge(table: pd.DataFrame) -> list[Statement]:
    """Rows from the largest sigma to the smallest."""
    return [
        Statement("the squared error falls with σ, at each of five values", is_falling(table["test MSE"].tolist())),
        Statement("the KL rises as σ falls, at each of them", is_falling((-table["KL in nats"]).tolist())),
    ]


def draw(table: pd.DataFrame) -> Figure:
    figure, axes = panels(2, 2, size=(3.8, 3.1))
    for axis, key, colour in zip(axes, ("test MSE", "KL in nats"), COLOURS, strict=False):
        axis.plot(table["σ"], table[key], "o-", color=colour)
        describe(axis, key, "σ", key)
        ticks_at(axis, list(table["σ"]))
        axis.invert_xaxis()
    return figure
