"""The map of the code space."""

import logging
from typing import Literal, NamedTuple

import torch
from torch import Generator, Tensor

from genlab.bounds import AtLeastTwo
from genlab.conditioning import given
from genlab.evaluation.code_use import entry_name, measure_use
from genlab.modes.inputs import encode, spread
from genlab.modes.labels import Label, array, one_label
from genlab.modes.mode import Mode, needs_encoder, needs_two_entries
from genlab.modes.sheet import Sheet
from genlab.protocols import LoadedRun

MOST_CODES = 2000  # of training images

log = logging.getLogger(__name__)


class Plane(NamedTuple):
    """A plane of codes: its middle and two directions of one standard deviation, (latent_dim,) each, and their names.

    In the plane of two entries the axes show their values; in any other one, deviations.
    """

    middle: Tensor
    across: Tensor
    up: Tensor
    names: tuple[str, str]
    dims: tuple[int, int] | None = None


class Manifold(Mode):
    """Images of a plane of the code space, by the quantiles of a Gaussian (Kingma and Welling 2014, figure 4).

    For codes of two entries that is the whole space, by the quantiles of the prior. For others it is the plane of the
    two main directions of the codes of training images, through their mean, or without an encoder that of the two most
    used entries, see `measure_use`.

    Args:
        n: images a side.
        label: of a conditional model: a class by its number or name, or `{NAME: VALUE}`; None for one that is drawn.
        format: None for that of the file's ending. `npz` holds the `codes` (n * n, latent_dim) too.
    """

    def __init__(self, n: AtLeastTwo = 20, label: Label = None, format: Literal["png", "npz"] | None = None) -> None:
        self.n, self.label, self.format = n, label, format

    why_not = staticmethod(needs_two_entries)

    def __call__(self, run: LoadedRun, generator: Generator) -> Sheet:
        plane, (label, said) = self._plane(run, generator), one_label(run, self.label, generator)
        labels = None if label is None else label.expand(self.n**2, *label.shape[1:])
        places = quantiles(self.n).to(plane.middle)
        across, up = places[None, :, None], places.flip(0)[:, None, None]
        codes = (plane.middle + across * plane.across + up * plane.up).flatten(0, 1)
        right, top = places.tolist(), places.flip(0).tolist()
        if plane.dims:
            grid, (x, y) = codes.view(self.n, self.n, -1), plane.dims
            right, top = grid[0, :, x].tolist(), grid[:, 0, y].tolist()
        return Sheet(
            run.model.decode(codes.unflatten(1, run.model.latent_shape), **given(labels)),
            self.n,
            [f"{place:.2f}" for place in top],
            [f"{place:.2f}" for place in right],
            title=f"Across: {plane.names[0]}; upwards: {plane.names[1]}"
            + ("" if plane.dims else "; in standard deviations")
            + said,
            arrays={"codes": codes.cpu(), **array(labels)},
        )

    def _plane(self, run: LoadedRun, generator: Generator) -> Plane:
        model = run.model
        if model.latent_dim > 2 and needs_encoder(run) is None:
            every = torch.ones(len(run.datamodule.images("train")), dtype=torch.bool)
            return main_plane(encode(run, "train", spread(every, MOST_CODES)).flatten(1))
        x, y = 0, 1
        if model.latent_dim > 2:
            x, y, *_ = measure_use(model, run.datamodule, generator).order
            log.info("Without an encoder the map shows the two entries of a code that are used most, %d and %d.", x, y)
        mean, std = (moment.flatten() for moment in model.prior_moments())
        unit = torch.eye(model.latent_dim, device=mean.device) * std
        names = (entry_name(x, model.latent_shape), entry_name(y, model.latent_shape))
        return Plane(mean, unit[x], unit[y], names, (x, y))


def quantiles(n: int) -> Tensor:
    """The middles of n parts of N(0, 1) that are equally probable, (n,), increasing and symmetric about 0."""
    return torch.special.ndtri((torch.arange(n, dtype=torch.float64) + 0.5) / n)


def main_plane(codes: Tensor) -> Plane:
    """The plane through the mean of codes (N, latent_dim) in which they vary most: two principal components."""
    cov = torch.cov(codes.cpu().double().T, correction=0)
    variances, directions = torch.linalg.eigh(cov)  # increasing
    names = []
    for number, variance in enumerate((variances[-1], variances[-2]), 1):
        share = variance / variances.sum().clamp_min(1e-12)
        names.append(f"main direction {number} of {len(codes):,} training codes ({share:.0%} of their variance)")
    directions = directions * directions.sum(0).sign()  # one of two, always the same
    across, up = (directions * variances.clamp_min(0).sqrt()).T[[-1, -2]].to(codes)
    return Plane(codes.mean(0), across, up, (names[0], names[1]))
