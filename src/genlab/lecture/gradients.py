"""The reparametrised gradient and the score-function gradient: one mean, and two variances."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Generator, Tensor
from torch.distributions import Normal

from genlab.bounds import AtLeastTen, PositiveFloat
from genlab.lecture.claim import Claim, Evidence, Statement
from genlab.lecture.figures import logarithmic
from genlab.lecture.linear import SIGMA, LinearVAE, linear_vae
from genlab.lecture.runs import Runs
from genlab.models import reparametrise
from genlab.report.style import COLOURS, describe, panels

PER_CHUNK = 10_000  # draws at a time
SURE = 5.0  # standard errors


class Gradients(Claim):
    """Both estimates of the gradient of E_q[-log p(x|z)], draw by draw, against the known one.

    Args:
        n_draws: of each estimate.
        far_smaller: how many times the variance of the score function's has to be that of the reparametrised one.
    """

    title = "Two gradients of one expectation"
    sentence = (
        "For q(z|x) = N(μ, diag s²) the gradient of E_q[−log p(x|z)] in μ and log s² is the mean of "
        "∇ −log p(x | μ + s ⊙ ε) with ε ~ N(0, I) (reparametrised), and as well of −log p(x|z) ∇ log q(z|x) (score "
        "function). The first has a far smaller variance."
    )
    experiment = (
        "A linear Gaussian model p(x|z) = N(Wz + b, σ²I) with a two-dimensional code, for which the gradient is known. "
        "Both estimates are drawn from the project's own likelihood, decoder and reparametrisation."
    )

    def __init__(self, n_draws: AtLeastTen = 200_000, far_smaller: PositiveFloat = 10.0) -> None:
        self.n_draws, self.far_smaller = n_draws, far_smaller

    def measure(self, runs: Runs) -> Evidence:
        exact = known_gradient()
        found = {"reparametrised": draw(_reparametrised, self.n_draws), "score function": draw(_score, self.n_draws)}
        rows, statements = [], []
        for name, draws in found.items():
            error = draws.std(0) / len(draws) ** 0.5
            deviations = ((draws.mean(0) - exact) / error).abs()
            rows += [
                {
                    "estimate": name,
                    "entry": entry,
                    "known": exact[i].item(),
                    "mean": draws[:, i].mean().item(),
                    "standard error": error[i].item(),
                    "variance of a draw": draws[:, i].var().item(),
                }
                for i, entry in enumerate(("μ₁", "μ₂", "log s₁²", "log s₂²"))
            ]
            text = f"the mean of the {name} gradient is the known one, within {SURE:g} standard errors in each entry"
            statements.append(Statement(text, bool((deviations < SURE).all())))
        ratio = (found["score function"].var(0).sum() / found["reparametrised"].var(0).sum()).item()
        text = f"summed over entries, the score function's variance is {self.far_smaller:g} times the other's or more"
        text += f" (here {ratio:.3g} times)"
        statements.append(Statement(text, ratio > self.far_smaller))
        caption = "Distance of the mean of the first n draws from the known gradient."
        return Evidence(draw_errors(found, exact), caption, pd.DataFrame(rows), statements)


def _problem() -> tuple[LinearVAE, Tensor, Tensor, Tensor]:
    """The model, an image (1, C, H, W), and the mean and log variance (1, 2) of q."""
    model = linear_vae()
    x = model.sample(1, Generator().manual_seed(1), noise=True).detach()
    return model, x, torch.tensor([[0.5, -1.0]]), torch.tensor([[-1.0, -2.0]])


def known_gradient() -> Tensor:
    """(4,): -W'(x - b - W mu) / sigma^2, and diag(W'W) s^2 / (2 sigma^2), for log s^2."""
    model, x, mean, logvar = _problem()
    rest = x.flatten() - model.b - model.w @ mean[0]
    return torch.cat([-(model.w.T @ rest), 0.5 * model.w.square().sum(0) * logvar[0].exp()]) / SIGMA**2


def draw(estimate: Callable[[int, Generator], Tensor], n: int) -> Tensor:
    """Draw n gradients (n, 4), in float64."""
    generator = Generator().manual_seed(0)
    sizes = [PER_CHUNK] * (n // PER_CHUNK) + ([n % PER_CHUNK] if n % PER_CHUNK else [])
    return torch.cat([estimate(size, generator) for size in sizes]).double()


def _leaves(mean: Tensor, logvar: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """A copy for each draw, so that each has a gradient of its own."""
    return mean.repeat(n, 1).requires_grad_(), logvar.repeat(n, 1).requires_grad_()


def _reparametrised(n: int, generator: Generator) -> Tensor:
    model, x, mean, logvar = _problem()
    mean, logvar = _leaves(mean, logvar, n)
    nll = model.likelihood.nll(x.repeat(n, 1, 1, 1), model.decoder(reparametrise(mean, logvar, generator)))
    return torch.cat(torch.autograd.grad(nll.sum(), (mean, logvar)), dim=1)


def _score(n: int, generator: Generator) -> Tensor:
    model, x, mean, logvar = _problem()
    mean, logvar = _leaves(mean, logvar, n)
    with torch.no_grad():
        z = reparametrise(mean, logvar, generator)
        nll = model.likelihood.nll(x.repeat(n, 1, 1, 1), model.decoder(z))
    log_q = Normal(mean, (0.5 * logvar).exp()).log_prob(z).sum(1)
    return torch.cat(torch.autograd.grad((nll * log_q).sum(), (mean, logvar)), dim=1)


def draw_errors(found: dict[str, Tensor], exact: Tensor) -> Figure:
    figure, axes = panels(1, size=(6.0, 3.4))
    n = np.unique(np.geomspace(1, len(next(iter(found.values()))), 200).astype(int))
    for colour, (name, draws) in zip(COLOURS, found.items(), strict=False):
        means = draws.cumsum(0)[n - 1] / torch.from_numpy(n)[:, None]
        axes[0].plot(n, (means - exact).norm(dim=1).numpy(), color=colour, label=name)
    describe(axes[0], "Error of the gradient", "draws n", "‖mean of n draws − gradient‖")
    for axis in (axes[0].xaxis, axes[0].yaxis):
        logarithmic(axis)
    axes[0].legend()
    return figure
