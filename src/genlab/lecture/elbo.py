"""The ELBO and the K-sample bounds lie below the evidence."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Generator, Tensor

from genlab.images import to_float
from genlab.lecture.claim import Claim, Evidence, Statement
from genlab.lecture.figures import logarithmic
from genlab.lecture.linear import LinearVAE, linear_vae
from genlab.lecture.runs import Runs
from genlab.metrics.likelihood import importance_weighted_bound
from genlab.models import VAE
from genlab.report.style import COLOURS, describe, panels
from genlab.significance import Interval, interval

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the way of q from the posterior to the prior
KS = (1, 5, 25, 100)
N_DIGITS, N_ELBOS = 200, 20  # test images, and draws of the ELBO of each
HALFWAY = 0.5
N_BATCHES, BATCH_SIZE = 50, 1000  # of the linear model
SURE = 5.0  # standard errors


class ELBO(Claim):
    """Both bounds against a known evidence, and against each other on digits."""

    title = "The ELBO is a lower bound"
    sentence = (
        "ELBO = E_q[log p(x|z)] − KL(q(z|x) ‖ p(z)) ≤ log p(x), and what lacks is KL(q(z|x) ‖ p(z|x)). The K-sample "
        "bound E log 1/K ∑ₖ p(x|zₖ) p(zₖ) / q(zₖ|x) lies between the two and rises with K."
    )
    experiment = (
        "A linear Gaussian model, whose evidence log p(x) and posterior p(z|x) are known: q(z|x) goes from the "
        "posterior to the prior p(z), and for K > 1 stays halfway. Then the VAE that is trained on digits, on its "
        "test images, where the evidence is not known. The losses are those that a VAE is trained with."
    )
    sweeps = ("experiment=lecture/vae seed=0",)

    def measure(self, runs: Runs) -> Evidence:
        linear = linear_bounds()
        run = runs("experiment=lecture/vae", "seed=0")
        digits = bounds_of(run.model, to_float(run.datamodule.images("test")[:N_DIGITS]))
        table = [{"model": "linear", **row} for row in linear]
        table += [{"model": "digits", "bound": k, "below the evidence": None, "nats": v} for k, v in digits.items()]
        caption = "Left and in the middle: nats below the known log p(x). Right: test images of the digits."
        return Evidence(draw(linear, digits), caption, pd.DataFrame(table), [*judge(linear), *judge_digits(digits)])


def linear_bounds() -> list[dict[str, Any]]:
    """How far each bound lies below the known evidence, in nats, as an interval over batches."""
    model, rows = linear_vae(), []
    for share in SHARES:
        model.encode_at(share)
        gaps, known = zip(*(_elbo_gap(model, batch) for batch in range(N_BATCHES)), strict=True)
        rows.append(_row(f"ELBO, q {share:.0%} of the way", gaps, interval(known).mean))
    model.encode_at(HALFWAY)
    for k in KS:
        rows.append(
            _row(f"K = {k}, q {HALFWAY:.0%} of the way", [_bound_gap(model, batch, k) for batch in range(N_BATCHES)])
        )
    return rows


def _row(bound: str, gaps: Sequence[float], known: float | None = None) -> dict[str, Any]:
    return {"bound": bound, "below the evidence": interval(gaps), "KL(q ‖ p(z|x))": known}


def _elbo_gap(model: LinearVAE, batch: int) -> tuple[float, float]:
    """The mean of log p(x) - ELBO over a batch that the model has drawn, and what it should be."""
    generator = Generator().manual_seed(batch)
    x = model.sample(BATCH_SIZE, generator, noise=True)
    elbo = -model.losses(x, generator)["loss"]
    return (model.evidence(x).mean() - elbo).item(), model.known_gap(x).mean().item()


def _bound_gap(model: LinearVAE, batch: int, k: int) -> float:
    generator = Generator().manual_seed(batch)
    x = model.sample(BATCH_SIZE, generator, noise=True)
    return (model.evidence(x).mean() - _bound(model, x, k, generator).mean()).item()


@torch.no_grad()
def _bound(model: VAE, x: Tensor, k: int, generator: Generator) -> Tensor:
    """The K-sample bound of images (B, C, H, W), (B,) in nats."""
    log_weights, _ = model.importance(x, *model.posterior(x), k, generator)
    return importance_weighted_bound(log_weights)


@torch.no_grad()
def bounds_of(model: VAE, x: Tensor) -> dict[str, float]:
    """ELBO and K-sample bounds of images (B, C, H, W), means in nats; all K of the same draws, in groups of K."""
    generator = Generator().manual_seed(0)
    elbos = [-model.losses(x, generator)["loss"].item() for _ in range(N_ELBOS)]
    found = {"ELBO": float(np.mean(elbos))}
    parts = [model.importance(part, *model.posterior(part), KS[-1], generator)[0] for part in x.split(100)]
    log_weights = torch.cat(parts, dim=1)
    for k in KS:
        found[f"K = {k}"] = (
            torch.stack([importance_weighted_bound(group) for group in log_weights.split(k)]).mean().item()
        )
    return found


def judge(rows: Sequence[Mapping[str, Any]]) -> list[Statement]:
    """What the linear model says."""
    gaps: list[Interval] = [row["below the evidence"] for row in rows]
    known = [row["KL(q ‖ p(z|x))"] for row in rows]
    elbos, bounds = gaps[: len(SHARES)], gaps[len(SHARES) :]
    means = [gap.mean for gap in bounds]
    return [
        Statement(
            "each ELBO lies KL(q ‖ p(z|x)) below the evidence (2.5 times the 95% interval)",
            all(abs(gap.mean - float(k)) < 2.5 * gap.half + 1e-5 for gap, k in zip(elbos, known, strict=False)),
        ),
        Statement(
            "no bound lies above the evidence, and the ELBO touches it for q = p(z|x) alone",
            all(gap.mean > -2.5 * gap.half - 1e-5 for gap in gaps) and all(gap.low > 0 for gap in elbos[1:]),
        ),
        Statement(
            "the K-sample bound rises with K towards the evidence",
            all(a > b for a, b in itertools.pairwise(means)),
        ),
    ]


def judge_digits(found: Mapping[str, float]) -> list[Statement]:
    """What the digits say."""
    elbo, *bounds = found.values()
    rises = all(a < b for a, b in itertools.pairwise(bounds))
    return [
        Statement(
            "on digits, the K-sample bound is above the ELBO for K > 1, and rises with K", rises and elbo < bounds[1]
        )
    ]


def draw(linear: Sequence[Mapping[str, Any]], digits: Mapping[str, float]) -> Figure:
    figure, axes = panels(3, size=(3.3, 3.0))
    gaps: list[Interval] = [row["below the evidence"] for row in linear]
    elbos, bounds = gaps[: len(SHARES)], gaps[len(SHARES) :]
    known = [row["KL(q ‖ p(z|x))"] for row in linear[: len(SHARES)]]
    axes[0].errorbar(SHARES, [-g.mean for g in elbos], [g.half for g in elbos], fmt="o", color=COLOURS[0], label="ELBO")
    axes[0].plot(SHARES, [-float(k) for k in known], color=COLOURS[1], label="−KL(q ‖ p(z|x))")
    axes[0].legend()
    describe(axes[0], "ELBO − log p(x)", "share of the way of q to the prior", "nats")
    axes[1].errorbar(KS, [-g.mean for g in bounds], [g.half for g in bounds], fmt="o-", color=COLOURS[0])
    describe(axes[1], "K-sample bound − log p(x)", "K", "nats")
    axes[2].plot(KS, [digits[f"K = {k}"] for k in KS], "o-", color=COLOURS[0], label="K-sample bound")
    axes[2].axhline(digits["ELBO"], color=COLOURS[1], label="ELBO")
    axes[2].legend()
    describe(axes[2], "Digits", "K", "nats per image")
    for axis in axes[:2]:
        axis.axhline(0, color="#3b4048", linewidth=0.8)
    for axis in axes[1:]:
        logarithmic(axis.xaxis)
    return figure
