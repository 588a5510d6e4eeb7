"""What an evaluation looked at, drawn."""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from genlab.conditioning import given, labels_for
from genlab.distributed import rank_and_world_size
from genlab.evaluation.subject import Subject
from genlab.files import atomic_write
from genlab.images import above, grid, save_picture, to_float
from genlab.protocols import HasPosterior, Reconstructs

N_COLUMNS, N_ROWS, N_PAIRS = 8, 8, 24
MOST_ENTRIES = 10**7  # of codes of the prior, in a histogram


@torch.no_grad()
def draw(subject: Subject, folder: Path) -> None:
    """Write `samples.png`, `neighbours.png`, `reconstructions.png` and `codes.png`, those that there is something for.

    In `neighbours.png` samples stand above the training images that are nearest to them by their features, those of
    the smallest distance first: copies would be there.
    """
    samples = subject.samples(slice(0, min(N_COLUMNS * N_ROWS, subject.n_samples))).cpu()
    pictures, figure = {"samples": grid(to_float(samples), N_COLUMNS)}, None
    if subject.keep:
        pictures["neighbours"] = _neighbours(subject)
    if isinstance(subject.model, Reconstructs):
        x = to_float(subject.datamodule.examples(subject.split, N_PAIRS).to(subject.device))
        y = given(labels_for(subject.model, subject.datamodule.example_labels(subject.split, N_PAIRS)))
        pictures["reconstructions"] = grid(above(x, subject.model.reconstruct(x, **y), N_COLUMNS), N_COLUMNS)
        figure = _codes(subject)
    if rank_and_world_size()[0] > 0:
        return  # all processes have taken part in describing images
    for name, picture in pictures.items():
        save_picture(picture, folder / f"{name}.png")
    if figure is not None:
        with atomic_write(folder / "codes.png") as file:
            figure.savefig(file, dpi=110, format="png")


def _neighbours(subject: Subject) -> Tensor:
    distances, rows = subject.nearest_to_fakes
    nearest_first = distances.argsort()[:N_PAIRS]
    samples = torch.cat([subject.samples(slice(i, i + 1)).cpu() for i in nearest_first.tolist()])
    real = subject.datamodule.images(subject.reference)[rows[nearest_first]]
    return grid(above(to_float(samples), to_float(real), N_COLUMNS), N_COLUMNS)


def _codes(subject: Subject) -> Figure:
    """The entries of the codes of held-out images as a histogram beside that of the prior, and the use of each."""
    means, z, kl = subject.codes
    n_draws = min(10_000, MOST_ENTRIES // subject.model.latent_dim)
    prior = subject.model.prior(n_draws, torch.Generator().manual_seed(subject.seed)).flatten(1).cpu()
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    low, high = np.quantile(torch.cat([z, prior]).flatten().numpy(), [0.001, 0.999])
    edges = np.linspace(low, high, 80)
    drawn = "draws from the posteriors" if isinstance(subject.model, HasPosterior) else "codes"
    left.hist(z.flatten().numpy(), edges, density=True, alpha=0.6, label=f"{drawn} of {len(z)} {subject.split} images")
    left.hist(prior.flatten().numpy(), edges, density=True, histtype="step", color="black", label="prior")
    left.set(xlabel="entry of a code", ylabel="density")
    figure.legend(loc="outside upper left", fontsize=8)
    use, label = means.var(0, correction=0), "variance over images"  # of one image it is 0
    if kl is not None:
        use, label = kl.mean(0), "KL from the prior, nats"
    right.bar(range(len(use)), use.sort(descending=True).values.numpy())
    right.set(xlabel="entry of the code, the most used first", ylabel=label)
    return figure
