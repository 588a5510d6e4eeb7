"""The drift of samples towards data (Deng et al. 2026): attraction to reals minus repulsion from other samples."""

from collections.abc import Sequence

import torch
from torch import Tensor

from genlab.bounds import PositiveFloat


class Drift:
    """Samples regress to where they drift (Deng et al. 2026, eq. 6 and algorithms 1 and 2).

    At each temperature T there is a field V (`drift_field`) in which a sample x is to move: to the reals that are near
    to it, and away from other samples. It vanishes where both are distributed alike. The loss is |x - (x + V)|^2 with
    no gradient through x + V. Scales are those of the paper (appendix A.6): vectors are divided by their mean distance,
    so that T is a share of that whatever the vectors are, and V by its root mean square, so that all temperatures
    count alike. The value of the loss is therefore always about the square of their number; what falls is `size`.

    Args:
        temperatures: shares of the mean distance, several: low ones see the next neighbours, high ones all of the data.
    """

    def __init__(self, temperatures: Sequence[PositiveFloat] = (0.02, 0.05, 0.2)) -> None:
        self.temperatures = list(temperatures)

    def __call__(
        self, fake: Tensor, real: Tensor, fake_labels: Tensor | None = None, real_labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Compare samples with reals, in float32 also under autocast: B samples, two or more, and M reals.

        Args:
            fake: vectors (B, D), or of each of L places one, (B, D, L), which are compared place by place; images
                (B, C, H, W) are vectors of all their pixels.
            real: as many of another number, (M, ...).
            fake_labels, real_labels: vectors (B, K) and (M, K) that stand beside the scaled ones, so that those with
                another label are further away; None for no labels.

        Returns:
            The loss, and the size of the drift: the root mean square of |V| before it is scaled, as a share of the mean
            distance. Means over places, and the size over temperatures. Both scalars.
        """
        with torch.autocast(fake.device.type, enabled=False):
            x, real = _by_place(fake), _by_place(real)
            scale = mean_distance(x.detach(), real)
            x, fixed = x / scale, (x / scale).detach()
            y, y_real = _beside(fixed, fake_labels), _beside(real / scale, real_labels)
            fields = torch.stack([drift_field(y, y_real, y, t, is_own=True) for t in self.temperatures])
            fields = fields[..., : x.shape[-1]]
            sizes = fields.square().sum(-1).mean(-1).sqrt()[..., None, None].clamp_min(1e-12)
            return (x - (fixed + (fields / sizes).sum(0))).square().sum(-1).mean(), sizes.mean()


def _by_place(vectors: Tensor) -> Tensor:
    """Bring vectors (B, D), (B, D, L) or (B, C, H, W) to (L, B, D), with one place if there is one alone."""
    vectors = vectors.float()
    return vectors.permute(2, 0, 1) if vectors.ndim == 3 else vectors.flatten(1)[None]


def _beside(vectors: Tensor, labels: Tensor | None) -> Tensor:
    """Put labels (B, K) beside the vectors (L, B, D) of each place."""
    return vectors if labels is None else torch.cat([vectors, labels.to(vectors).expand(len(vectors), -1, -1)], -1)


def drift_field(x: Tensor, real: Tensor, fake: Tensor, temperature: float, is_own: bool = False) -> Tensor:
    """V at x: W+ y+ - W- y-, with W+ = A+ sum(A-) and W- = A- sum(A+) (Deng et al. 2026, algorithm 2).

    A is the geometric mean of the softmaxes, over all y and over all x, of -|x - y| / T, with y the reals (A+) and the
    samples (A-). Exchanging reals and samples turns V round, so that it is 0 where they are the same.

    Args:
        x: (..., B, D), vectors that are to move.
        real: y+, (..., M, D).
        fake: y-, (..., N, D).
        temperature: T, in units of the distance.
        is_own: whether `fake` is x, and no sample repels itself; B is at least 2 then.

    Returns:
        (..., B, D).
    """
    to_fakes = torch.cdist(x, fake)
    if is_own:
        to_fakes.diagonal(dim1=-2, dim2=-1).fill_(torch.inf)
    logits = -torch.cat([torch.cdist(x, real), to_fakes], -1) / temperature
    affinity = (0.5 * (logits.log_softmax(-2) + logits.log_softmax(-1))).exp()
    attraction, repulsion = affinity.split([real.shape[-2], fake.shape[-2]], -1)
    pull, push = attraction * repulsion.sum(-1, keepdim=True), repulsion * attraction.sum(-1, keepdim=True)
    return pull @ real - push @ fake


def mean_distance(x: Tensor, real: Tensor) -> Tensor:
    """Mean of |x - y| over samples x (..., B, D) and y, the reals (..., M, D) and the other samples: (..., 1, 1)."""
    n, m = x.shape[-2], real.shape[-2]
    total = torch.cdist(x, real).sum((-2, -1)) + torch.cdist(x, x).sum((-2, -1))
    return (total / (n * (m + n - 1))).clamp_min(1e-12)[..., None, None]
