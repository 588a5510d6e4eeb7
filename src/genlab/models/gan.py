"""The generative adversarial network."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn

from genlab.errors import UsageError
from genlab.models.adversarial import AdversarialModel
from genlab.models.base import Network


class GAN(AdversarialModel):
    """Generative adversarial nets (Goodfellow et al. 2014, algorithm 1).

    Args:
        image_shape: (C, H, W).
        latent_dim: length of a code.
        generator: makes a network (latent_dim,) -> image_shape.
        discriminator: makes a network image_shape -> (1,): a logit.
        augment: changes what D sees, real and fake alike, differentiably; None for nothing.
        adversarial: see `AdversarialModel`.
    """

    def __init__(
        self,
        image_shape: Iterable[int],
        latent_dim: int,
        generator: Network,
        discriminator: Network,
        augment: Any = None,
        **adversarial: Any,
    ) -> None:
        super().__init__(image_shape, latent_dim, **adversarial)
        self.generator = generator((latent_dim,), self.image_shape)
        self.discriminator = discriminator(self.image_shape, (1,))
        self.augment = augment or _unchanged
        if getattr(self.generator, "keeps_indices", False):
            raise UsageError(
                "model.generator.unpooling keeps indices, and a GAN has no encoder that gives any: take the average "
                "unpooling of model/generator=pooling."
            )
        self.warn_of_batch_norm(self.discriminator)

    def players(self) -> Mapping[str, list[nn.Module]]:
        """D and G."""
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def decode(self, z: Tensor) -> Tensor:
        """Map codes (B, latent_dim) to images (B, C, H, W) in [-1, 1]: G(z)."""
        return self.generator(z).float()

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """One step of D up its objective, then one of G against the new D, on the same fakes."""
        due = self.others_are_due(batch_idx)
        with torch.set_grad_enabled(due):
            fake = self.decode(self.prior(len(batch[0]), self.noise))
        real, shown = self.augment(batch[0], self.noise), self.augment(fake, self.noise)

        terms = self.judge(self.discriminator, real, shown.detach())
        self.update(terms, "d_loss", "discriminator")

        if due:
            with self.playing("generator"):
                terms["g_loss"] = self.deceive(self.discriminator, real, shown)
                self.update(terms, "g_loss", "generator")
        self.close_batch(terms)

    def losses(self, x: Tensor, generator: Generator | None = None) -> dict[str, Tensor]:
        """Both players' losses on images (B, C, H, W) and as many fakes, without penalties."""
        return self.stake(self.discriminator(x), self.discriminator(self.sample(len(x), generator)))

    def inference_networks(self) -> Mapping[str, nn.Module]:
        """The generator alone."""
        return {"generator": self.generator}


def _unchanged(images: Tensor, generator: Generator | None = None) -> Tensor:
    return images
