"""The generative adversarial network."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Generator, Tensor, nn

from genlab.bounds import PositiveInt
from genlab.errors import UsageError
from genlab.models.adversarial import AdversarialModel, Terms
from genlab.models.base import Network
from genlab.models.critic import AugmentedCritic, check_critic
from genlab.protocols import Augmentation


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
        latent_dim: PositiveInt,
        generator: Network,
        discriminator: Network,
        augment: Augmentation | None = None,
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
        check_critic(self.discriminator, self.objective)

    def players(self) -> Mapping[str, list[nn.Module]]:
        """D and G."""
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def decode(self, z: Tensor) -> Tensor:
        """Map codes (B, latent_dim) to images (B, C, H, W) in [-1, 1]: G(z)."""
        return self.generator(z).float()

    def adversarial_step(self, parts: Sequence[Tensor]) -> Terms:
        """One step of D up its objective, then one of G against the new D, on the same fakes."""
        critic = AugmentedCritic(self.discriminator, self.augment, self.noise)
        codes = [self.prior(len(x), self.noise) for x in parts]
        shown, fakes = self.make(self.decode, codes)

        for x, fake in zip(parts, shown, strict=True):
            terms = self.objective.discriminator(critic, x, fake, self.n_updates, self.noise)
            self.descend(terms, "d_loss")
        self.step("discriminator")

        if self.generator_is_due():
            with self.only("generator"):
                for x, fake in zip(parts, fakes, strict=True):
                    terms["g_loss"] = self.objective.generator(critic, x, fake)
                    self.descend(terms, "g_loss")
                self.step("generator")
        return terms

    def losses(self, x: Tensor, generator: Generator | None = None) -> dict[str, Tensor]:
        """Both players' losses on images (B, C, H, W) and as many fakes, without penalties."""
        fake = self.sample(len(x), generator)
        return self.objective.evaluate(self.discriminator(x), self.discriminator(fake))

    def inference_networks(self) -> Mapping[str, nn.Module]:
        """The generator alone."""
        return {"generator": self.generator}


def _unchanged(images: Tensor, generator: Generator | None = None) -> Tensor:
    return images
