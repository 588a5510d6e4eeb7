"""The codes of an autoencoder are not distributed as N(0, I)."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import torch
from sklearn.mixture import GaussianMixture
from torch import Generator, Tensor

from genlab.images import to_float
from genlab.lecture.claim import Claim, Evidence, Statement
from genlab.lecture.figures import images_figure
from genlab.lecture.runs import N_SAMPLES, Runs, decoded, from_standard_normal, training_codes
from genlab.significance import Interval, interval

SEEDS = (0, 1, 2)
N_COMPONENTS = 10
FAR_WORSE = 1.5
PRIOR, GAUSSIAN, MIXTURE, VAE = "AE, z ~ N(0, I)", "AE, z ~ Gaussian", "AE, z ~ mixture", "VAE, z ~ N(0, I)"


class Codes(Claim):
    """Three densities of the codes of an autoencoder, and a VAE."""

    title = "Codes are not the prior"
    sentence = (
        "An autoencoder learns Φ and Ψ, and no density of z: its codes Φ(x) are not distributed as N(0, I), and Ψ(z) "
        "with z ~ N(0, I) is far from the data. A Gaussian fitted to the codes is nearer, a mixture of Gaussians "
        "nearer still, and a VAE, whose KL term pulls q(z|x) to p(z) = N(0, I), needs neither."
    )
    experiment = (
        f"AE and VAE with the same decoder, trained on the same digits with three seeds each. {N_SAMPLES:,} codes of "
        "each kind are decoded, and compared with the training digits by the Fréchet distance in the features of an "
        f"ImageNet classifier (lower is better). The mixture has {N_COMPONENTS} components with full covariances. "
        "Intervals are those of a mean over seeds (95%)."
    )
    sweeps = ("experiment=lecture/ae,lecture/vae seed=0,1,2",)

    def measure(self, runs: Runs) -> Evidence:
        kinds = {PRIOR: from_standard_normal, GAUSSIAN: gaussian, MIXTURE: mixture, VAE: from_standard_normal}
        scores: dict[str, list[float]] = {}
        for name, kind in kinds.items():
            model = "vae" if name == VAE else "ae"
            found = [runs(f"experiment=lecture/{model}", f"seed={seed}") for seed in SEEDS]
            scores[name] = [runs.distance(run, kind) for run in found]
        shown: dict[str, Any] = {
            name: runs(f"experiment=lecture/{'vae' if name == VAE else 'ae'}", "seed=0") for name in kinds
        }
        images = {name: to_float(kinds[name](run)[:16]) for name, run in shown.items()}
        intervals = {name: interval(values) for name, values in scores.items()}
        table = pd.DataFrame({"decoded": list(scores), "Fréchet distance": list(intervals.values())})
        caption = "The first samples of each kind, of the first seed; distances are in the table."
        return Evidence(images_figure(images), caption, table, judge(intervals), True)


def judge(found: Mapping[str, Interval]) -> list[Statement]:
    """Intervals of the four distances by name."""
    prior = found[PRIOR]
    others = [found[name] for name in (GAUSSIAN, MIXTURE, VAE)]
    return [
        *(
            Statement(
                f"{PRIOR} scores at least {FAR_WORSE:g} times as high as {name}, and their intervals are apart",
                prior.mean > FAR_WORSE * found[name].mean and prior.low > found[name].high,
            )
            for name in (GAUSSIAN, MIXTURE, VAE)
        ),
        Statement("the mixture scores lower than the Gaussian (intervals apart)", others[1].high < others[0].low),
    ]


def gaussian(run: Any) -> Tensor:
    """Ψ(z) with z from the Gaussian that fits the codes of the training images: uint8 (B, C, H, W)."""
    return from_mixture(run, 1)


def mixture(run: Any) -> Tensor:
    """The same with a mixture of Gaussians."""
    return from_mixture(run, N_COMPONENTS)


def from_mixture(run: Any, n_components: int) -> Tensor:
    """Decode draws of a mixture with full covariances that is fitted to the codes of the training images."""
    density = GaussianMixture(n_components, random_state=0, reg_covar=1e-5).fit(training_codes(run).double().numpy())
    codes, _ = density.sample(N_SAMPLES)  # component by component
    order = torch.randperm(N_SAMPLES, generator=Generator().manual_seed(0))
    return decoded(run, torch.from_numpy(codes).float()[order])
