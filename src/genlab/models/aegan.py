"""An autoencoder with an adversary on its images."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn

from genlab.bounds import PositiveFloat
from genlab.models.adversarial import AdversarialModel, Part, Terms
from genlab.models.autoencoding import Autoencoder, squared_distance
from genlab.models.base import Network
from genlab.networks.conditional import critic


class AEGAN(Autoencoder, AdversarialModel):
    """An autoencoder whose reconstructions, and whose decoded draws from N(0, I), face a discriminator.

    The squared distance alone is least for the mean of all images that fit a code, which is blurred; the adversary
    pulls reconstructions to the images themselves (as in Larsen et al. 2016, table 1, "VAE_Dis", without a posterior).

    Args:
        discriminator: makes a network image_shape -> (1,): a logit.
        adversarial_weight: of the adversarial loss beside the squared distance, above 0.
        args, options: see `Autoencoder` and `AdversarialModel`.
    """

    def __init__(
        self, *args: Any, discriminator: Network, adversarial_weight: PositiveFloat = 10.0, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.discriminator = self.network(discriminator, self.image_shape, (1,))
        self.adversarial_weight = adversarial_weight

    def players(self) -> Mapping[str, list[nn.Module]]:
        """D, and the autoencoder."""
        return {"discriminator": [self.discriminator], "autoencoder": [self.encoder, self.decoder]}

    def adversarial_step(self, parts: Sequence[Part]) -> Terms:
        """One step of D, then one of the autoencoder against it, on the same fakes."""
        xs, ys = zip(*parts, strict=True)
        codes = [self.prior(len(x), self.noise) for x in xs]
        detached, fakes = self.make(self.fake, xs, codes, ys)

        for (x, y), fake in zip(parts, detached, strict=True):
            d = critic(self.discriminator, y)
            terms = self.objective.discriminator(d, x, fake, self.n_updates, self.noise)
            self.descend(terms, "d_loss")
        self.step("discriminator")

        if self.generator_is_due():
            with self.only("autoencoder"):
                for (x, y), fake in zip(parts, fakes, strict=True):
                    terms["distance"] = squared_distance(x, fake[: len(x)])
                    terms["g_loss"] = self.objective.generator(critic(self.discriminator, y), x, fake)
                    terms["loss"] = terms["distance"] + self.adversarial_weight * terms["g_loss"]
                    self.descend(terms, "loss")
                self.step("autoencoder")
        return terms

    def fake(self, x: Tensor, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Reconstructions of images (B, C, H, W), then decoded codes (B, *latent_shape): (2 B, C, H, W)."""
        return torch.cat([self.reconstruct(x, y), self.decode(z, y)])

    def losses(self, x: Tensor, generator: Generator | None = None, y: Tensor | None = None) -> dict[str, Tensor]:
        """The squared distance of images (B, C, H, W), and both players' losses on reconstructions and samples."""
        fake, d = self.fake(x, self.prior(len(x), generator), y), critic(self.discriminator, y)
        adversary = self.objective.evaluate(d(x), d(fake))
        return {"distance": squared_distance(x, fake[: len(x)]), **adversary}
