"""Adaptive augmentation of what D sees: "Training generative adversarial networks with limited data" (2020)."""

from typing import Any

import torch
from torch import Generator, Tensor

from genlab.bounds import PositiveFloat, PositiveInt, Share
from genlab.devices import send
from genlab.distributed import mean_over_processes, rank_and_world_size
from genlab.losses.augment import Cutout
from genlab.losses.transforms import Draws, blits, colours, geometry, moved, recoloured
from genlab.protocols import Augmentation


class ADA(Augmentation):
    """Change each image, in each way by itself, with the probability p, which follows how much D overfits.

    Overfitting shows in r = E[sign D(x)] over the reals that D is trained on (section 3): p rises by a small step while
    r is above its target, and falls while it is below. As in the source an image may be mirrored, turned and shifted by
    pixels, scaled, turned, stretched and shifted, and its colours changed. Not as there: places are sampled
    bilinearly at the image's own size, and its filters and noise, which are left out in its best configuration, are
    not there.

    Args:
        p: the probability at first, from 0 to 1.
        target: of r; None leaves p as it is, or as `model.schedules.augment` says.
        images: over which p would rise from 0 to 1.
        every: updates of D between two steps of p.
        blit, geometry, colour, cutout: the probability of each kind of change is this share of p.
    """

    def __init__(
        self,
        p: Share = 0.0,
        target: Share | None = 0.6,
        images: PositiveFloat = 500_000,
        every: PositiveInt = 4,
        blit: Share = 1.0,
        geometry: Share = 1.0,
        colour: Share = 1.0,
        cutout: Share = 0.0,
    ) -> None:
        self.p, self.target, self.images, self.every = p, target, images, every
        self.blit, self.geometry, self.colour, self.cutout = blit, geometry, colour, cutout
        self.r = 0.0  # the newest one
        self._counts = torch.zeros(2, dtype=torch.float64)  # sum and number of signs since then, of this process
        self._n_updates = 0  # since then

    def __call__(self, images: Tensor, generator: Generator | None = None) -> Tensor:
        """Map images (B, C, H, W) in [-1, 1] to changed ones of the same shape, which may leave that range."""
        if self.p == 0:
            return images
        draws, size = Draws(len(images), generator), (images.shape[2], images.shape[3])
        places = blits(draws, size, self.p * self.blit) @ geometry(draws, size, self.p * self.geometry)
        changed = recoloured(moved(images, places), colours(draws, self.p * self.colour))
        if self.cutout == 0:
            return changed
        is_cut = torch.rand(len(images), 1, 1, 1, generator=generator) < self.p * self.cutout
        return torch.where(send(is_cut, images.device), Cutout()(changed, generator), changed)

    @property
    def adapts(self) -> bool:
        """Whether p follows the signs of D."""
        return self.target is not None

    def observe(self, logits: Tensor) -> None:
        """Count the signs of logits (B, 1) of reals in a step of D, counted from the boundary."""
        signs = logits.detach().sign().double()
        self._counts = send(self._counts, signs.device) + torch.stack([signs.sum(), signs.new_full((), signs.numel())])

    def adapt(self) -> None:
        """Step p if it is time, by what all processes have counted since the last step. To be called at each update."""
        self._n_updates += 1
        if self.target is None or self._n_updates % self.every != 0:
            return
        total, n = mean_over_processes(self._counts).tolist()
        self.r = total / n
        step = n * rank_and_world_size()[1] / self.images
        self.p = min(1.0, max(0.0, self.p + step * ((self.r > self.target) - (self.r < self.target))))
        self._counts, self._n_updates = torch.zeros(2, dtype=torch.float64), 0

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs of this process."""
        return {"p": self.p, "r": self.r, "counts": self._counts.cpu(), "n_updates": self._n_updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.p, self.r, self._counts, self._n_updates = (state[key] for key in ("p", "r", "counts", "n_updates"))
