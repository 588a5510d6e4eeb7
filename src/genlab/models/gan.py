"""The generative adversarial network."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from genlab.bounds import PositiveInt
from genlab.conditioning import given
from genlab.errors import UsageError
from genlab.losses.ada import ADA
from genlab.losses.augment import DiffAugment
from genlab.models.adversarial import AdversarialModel, Part, Terms, as_part
from genlab.models.base import Network
from genlab.models.scheduled import Target
from genlab.networks.conditional import critic
from genlab.protocols import Augmentation


class AugmentedCritic:
    """D behind an augmentation that draws anew at each call: in D's step, in G's, and in each penalty.

    A penalty takes the gradient in the image before the augmentation (as in R3GAN's Trainer).
    """

    def __init__(
        self,
        discriminator: Any,
        augment: Augmentation,
        noise: Generator | None,
        observe: Callable[[Tensor], None] | None = None,
        reals: Tensor | None = None,
    ) -> None:
        self.discriminator, self.augment, self.noise = discriminator, augment, noise
        self.observe, self.reals = observe, reals  # who is told the logits of which images

    def __call__(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W) to logits (B, 1)."""
        logits = self.discriminator(self.augment(images, self.noise))
        if self.observe is not None and images is self.reals:
            self.observe(logits)
        return logits

    def forward(self, images: Tensor) -> Tensor:
        """The same with the uncompiled D."""
        return self.discriminator.forward(self.augment(images, self.noise))


class GAN(AdversarialModel):
    """Generative adversarial nets (Goodfellow et al. 2014, algorithm 1).

    Args:
        generator: makes a network latent_shape -> image_shape.
        discriminator: makes a network image_shape -> (1,): a logit.
        augment: changes what D sees, real and fake alike, differentiably; None for nothing.
        fresh: whether G steps on codes of its own, and compares them, where its loss does, with the reals of the update
            before; else on those that D has just stepped on, which is cheaper.
        image_shape, latent_dim, adversarial: see `AdversarialModel`.
    """

    def __init__(
        self,
        image_shape: Iterable[int],
        latent_dim: PositiveInt | None,
        generator: Network,
        discriminator: Network,
        augment: Augmentation | None = None,
        fresh: bool = False,
        **adversarial: Any,
    ) -> None:
        super().__init__(image_shape, latent_dim, **adversarial)
        self.generator = self.network(generator, self.latent_shape, self.image_shape)
        self.discriminator = self.network(discriminator, self.image_shape, (1,))
        self.augment = augment or DiffAugment()  # which changes nothing without policies
        self.controller = augment if isinstance(augment, ADA) and augment.adapts else None
        if self.controller is not None:
            self._check_controller()
        self.fresh = fresh
        self._reals_before: list[Part] = []
        if getattr(self.generator, "keeps_indices", False):
            raise UsageError(
                "model.generator.unpooling keeps indices, and a GAN has no encoder that gives any: take the average "
                "unpooling of model/generator=pooling."
            )

    def players(self) -> Mapping[str, list[nn.Module]]:
        """D and G."""
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Map codes (B, *latent_shape), and labels where there are any, to images (B, C, H, W) in [-1, 1]: G(z)."""
        return self.generator(z, **given(y)).float()

    def adversarial_step(self, parts: Sequence[Part]) -> Terms:
        """One step of D up its objective, then one of G against the new D, on the same fakes or on fresh ones."""
        xs, ys = zip(*parts, strict=True)
        codes = [self.prior(len(x), self.noise) for x in xs]
        detached, fakes = self.make(self.decode, codes, ys, detached_only=self.fresh)

        for (x, y), fake in zip(parts, detached, strict=True):
            terms = self.objective.discriminator(self._critic(y, x), x, fake, self.n_updates, self.noise)
            self.descend(terms, "d_loss")
        self.step("discriminator")
        self._adapt()

        reals, fakes = self._freshen(parts) if self.fresh else (parts, fakes)
        if self.generator_is_due():
            with self.only("generator"):
                for (x, y), fake in zip(reals, fakes, strict=True):
                    terms["g_loss"] = self.objective.generator(self._critic(y), x, fake)
                    self.descend(terms, "g_loss")
                self.step("generator")
        return terms

    def _critic(self, y: Tensor | None, reals: Tensor | None = None) -> AugmentedCritic:
        observe = None if self.controller is None else self._observe
        return AugmentedCritic(critic(self.discriminator, y), self.augment, self.noise, observe, reals)

    def _observe(self, logits: Tensor) -> None:
        if self.controller is not None:
            self.controller.observe(logits - (self.objective.loss.boundary or 0.0))

    def _adapt(self) -> None:
        if self.controller is not None:
            self.controller.adapt()
            self.note({f"augment/{key}": torch.tensor(getattr(self.controller, key)) for key in ("p", "r")})

    def _check_controller(self) -> None:
        """Refuse one that has nothing to go by, or that shares its number with a schedule."""
        fixed = "type model.augment.target=null for a p that is fixed (model.augment.p=0.2) or scheduled"
        if self.objective.loss.boundary is None:
            name = type(self.objective.loss).__name__
            raise UsageError(
                f"model/augment=ada goes by the logits of real images above D's boundary, and {name} has none: "
                f"{fixed}, or model/objective=non_saturating."
            )
        if "augment" in self.schedules:
            raise UsageError(f"model.schedules.augment and model.augment.target both set the probability: {fixed}.")

    def schedule_targets(self, optimizers: Sequence[Optimizer]) -> dict[str, Target]:
        """Also the probability of an augmentation that has one."""
        targets = super().schedule_targets(optimizers)
        if isinstance(self.augment, ADA):
            targets["augment"] = Target(partial(setattr, self.augment, "p"), 1.0)
        return targets

    def _freshen(self, parts: Sequence[Part]) -> tuple[Sequence[Part], Iterable[Tensor]]:
        """Reals and fakes for G that D has not just stepped on; of the first update the reals are D's."""
        reals = self._reals_before if len(self._reals_before) == len(parts) else parts
        self._reals_before = list(parts) if self.objective.loss.uses_real else []
        return reals, (self.decode(self.prior(len(x), self.noise), y) for x, y in reals)

    def rank_state(self) -> dict[str, Any]:
        adapted = {} if self.controller is None else {"augment": self.controller.state_dict()}
        return super().rank_state() | adapted | ({"reals_before": self._reals_before} if self._reals_before else {})

    def load_rank_state(self, state: dict[str, Any]) -> None:
        super().load_rank_state(state)
        if self.controller is not None and "augment" in state:
            self.controller.load_state_dict(state["augment"])
        self._reals_before = [as_part(stored, self.device) for stored in state.get("reals_before", [])]

    def losses(self, x: Tensor, generator: Generator | None = None, y: Tensor | None = None) -> dict[str, Tensor]:
        """Both players' losses on images (B, C, H, W) and as many fakes, without penalties."""
        fake, d = self.sample(len(x), generator, y), critic(self.discriminator, y)
        return self.objective.evaluate(d(x), d(fake))

    def inference_networks(self) -> Mapping[str, nn.Module]:
        """The generator alone."""
        return {"generator": self.generator}
