"""How much a model uses each entry of its codes: the order of traversals, and of sliders."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from genlab.conditioning import drawn_labels, given, labels_for
from genlab.images import to_float
from genlab.losses.divergence import kl_per_entry
from genlab.protocols import HasPosterior, Reconstructs

MOST_IMAGES, BATCH_SIZE, N_PAIRS = 1000, 100, 32


class CodeUse(NamedTuple):
    """How much each entry of a code is used.

    Attributes:
        values: (latent_dim,), on the CPU; of a code of maps in the order of its entries in memory.
        form: how one of them is written, with its unit.
    """

    values: Tensor
    form: str

    @property
    def order(self) -> list[int]:
        """The entries, the most used first."""
        return self.values.argsort(descending=True, stable=True).tolist()

    def text(self, entry: int) -> str:
        """As in `2.10 nats`."""
        return self.form.format(self.values[entry].item())


def entry_name(entry: int, latent_shape: tuple[int, ...]) -> str:
    """An entry of a code by its number in memory, `z7`; of a code of maps by channel, row and column, `z[0,1,3]`."""
    places: tuple[int, ...] = (entry,)
    for side in latent_shape[:0:-1]:
        places = (places[0] // side, places[0] % side, *places[1:])
    return f"z{entry}" if len(places) == 1 else f"z[{','.join(map(str, places))}]"


@torch.no_grad()
def measure_use(model: Any, data: Any, generator: Generator) -> CodeUse:
    """Measure the use of each entry of a code by what the model has to tell it.

    That is the KL of a posterior from the prior, mean over at most 1,000 test images; for another encoder the variance
    of their codes; without one, `total_effects` on decoded draws from the prior.

    Args:
        model: fulfils `protocols.Samples`, in evaluation mode.
        data: the `ImageDataModule`.
        generator: gives the draws from the prior.
    """
    if isinstance(model, HasPosterior):
        posterior = model.posterior
        return CodeUse(
            _over_images(model, data, lambda x, **y: kl_per_entry(*posterior(x, **y))).mean(0), "{:.2f} nats"
        )
    if isinstance(model, Reconstructs):
        return CodeUse(_over_images(model, data, model.encode).var(0, correction=0), "variance {:.3g}")
    codes, others = model.prior(2 * N_PAIRS, generator).chunk(2)
    decode = partial(model.decode, **given(drawn_labels(model, N_PAIRS, generator)))
    return CodeUse(total_effects(decode, codes, others), "{:.0%} of variance")


def total_effects(decode: Callable[[Tensor], Tensor], codes: Tensor, others: Tensor) -> Tensor:
    """Estimate the share of the images' variance that each entry of a code takes part in.

    T_i = E |f(z) - f(z_i drawn anew)|^2 / (2 Var f), the total effect by Jansen's estimator (Saltelli et al. 2010,
    table 2 (f)), summed over pixels. For a linear f the shares sum to 1; where entries act together they sum to more.

    Args:
        decode: f, from codes (B, *latent_shape) to images (B, C, H, W).
        codes, others: (B, *latent_shape), independent draws of z.

    Returns:
        (latent_dim,) on the CPU, not negative; 0 where all images are alike.
    """
    images = decode(codes).cpu().double()
    effects = []
    for entry in range(codes[0].numel()):
        changed = codes.clone()
        changed.flatten(1)[:, entry] = others.flatten(1)[:, entry]
        effects.append((decode(changed).cpu().double() - images).square().flatten(1).sum(1).mean())
    both = torch.cat([images, decode(others).cpu().double()])
    return torch.stack(effects) / (2 * both.var(0).sum()).clamp_min(1e-12)


def _over_images(model: Any, data: Any, work: Callable[..., Tensor]) -> Tensor:
    parts = (
        part.split(BATCH_SIZE)
        for part in (data.examples("test", MOST_IMAGES), data.example_labels("test", MOST_IMAGES))
    )
    found = [work(to_float(x.to(model.device)), **given(labels_for(model, y))) for x, y in zip(*parts, strict=True)]
    return torch.cat([part.flatten(1).cpu().double() for part in found])
