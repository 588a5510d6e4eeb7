"""The adversarial autoencoder."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Generator, Tensor, nn

from genlab.models.adversarial import AdversarialModel, Terms
from genlab.models.autoencoding import Autoencoder, squared_distance
from genlab.models.base import Network


class AAE(Autoencoder, AdversarialModel):
    """An autoencoder whose codes an adversary compares with draws from N(0, I) (Makhzani et al. 2016, section 2).

    Args:
        code_discriminator: makes a network latent_shape -> (1,): a logit.
        args, options: see `Autoencoder` and `AdversarialModel`.
    """

    def __init__(self, *args: Any, code_discriminator: Network, **options: Any) -> None:
        super().__init__(*args, **options)
        self.discriminator = code_discriminator(self.latent_shape, (1,))

    def players(self) -> Mapping[str, list[nn.Module]]:
        """The encoder plays twice: to reconstruct, and to deceive D."""
        return {
            "autoencoder": [self.encoder, self.decoder],
            "discriminator": [self.discriminator],
            "generator": [self.encoder],
        }

    def adversarial_step(self, parts: Sequence[Tensor]) -> Terms:
        """The reconstruction phase, then the regularisation phase: D, and the encoder against it."""
        terms: Terms = {}
        if self.generator_is_due():
            with self.only("autoencoder"):
                for x in parts:
                    terms["distance"] = squared_distance(x, self.reconstruct(x))
                    self.descend(terms, "distance")
                self.step("autoencoder")

        with self.only("generator"):
            detached, codes = self.make(self.encode, parts)
        for z in detached:
            terms |= self.objective.discriminator(
                self.discriminator, self.prior(len(z), self.noise), z, self.n_updates, self.noise
            )
            self.descend(terms, "d_loss")
        self.step("discriminator")

        if self.generator_is_due():
            with self.only("generator"):
                for z in codes:
                    prior = self.prior(len(z), self.noise)
                    terms["g_loss"] = self.objective.generator(self.discriminator, prior, z)
                    self.descend(terms, "g_loss")
                self.step("generator")
        return terms

    def losses(self, x: Tensor, generator: Generator | None = None) -> dict[str, Tensor]:
        """The squared distance of images (B, C, H, W), and both players' losses on their codes."""
        z = self.encode(x)
        real_logits = self.discriminator(self.prior(len(x), generator))
        adversary = self.objective.evaluate(real_logits, self.discriminator(z))
        return {"distance": squared_distance(x, self.decode(z)), **adversary}
