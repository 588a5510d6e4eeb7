"""The adversarial autoencoder."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn

from genlab.bounds import PositiveFloat
from genlab.models.adversarial import AdversarialModel, Part, Terms
from genlab.models.autoencoding import Autoencoder, squared_distance
from genlab.models.base import Network
from genlab.networks.conditional import critic


class AAE(Autoencoder, AdversarialModel):
    """An autoencoder whose codes an adversary compares with draws from N(0, I) (Makhzani et al. 2016, section 2).

    Args:
        code_discriminator: makes a network latent_shape -> (1,): a logit.
        adversarial_weight: None for the paper's phases, in which the encoder steps down the distance and then against
            D; a number for one step of encoder and decoder down distance + adversarial_weight * adversary.
        args, options: see `Autoencoder` and `AdversarialModel`.
    """

    def __init__(
        self,
        *args: Any,
        code_discriminator: Network,
        adversarial_weight: PositiveFloat | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.discriminator = self.network(code_discriminator, self.latent_shape, (1,))
        self.adversarial_weight = adversarial_weight

    def players(self) -> Mapping[str, list[nn.Module]]:
        """The encoder plays twice, to reconstruct and to deceive D, unless it does both in one step."""
        players = {"autoencoder": [self.encoder, self.decoder], "discriminator": [self.discriminator]}
        return players if self.adversarial_weight is not None else players | {"generator": [self.encoder]}

    def adversarial_step(self, parts: Sequence[Part]) -> Terms:
        """The reconstruction phase, then the regularisation phase: D, and the encoder against it."""
        if self.adversarial_weight is not None:
            return self._joint_step(parts, self.adversarial_weight)
        terms: Terms = {}
        if self.generator_is_due():
            with self.only("autoencoder"):
                for x, y in parts:
                    terms["distance"] = squared_distance(x, self.reconstruct(x, y))
                    self.descend(terms, "distance")
                self.step("autoencoder")

        with self.only("generator"):
            detached, codes = self.make(self.encode, *zip(*parts, strict=True))
        for (_, y), z in zip(parts, detached, strict=True):
            d, prior = critic(self.discriminator, y), self.prior(len(z), self.noise)
            terms |= self.objective.discriminator(d, prior, z, self.n_updates, self.noise)
            self.descend(terms, "d_loss")
        self.step("discriminator")

        if self.generator_is_due():
            with self.only("generator"):
                for (_, y), z in zip(parts, codes, strict=True):
                    prior = self.prior(len(z), self.noise)
                    terms["g_loss"] = self.objective.generator(critic(self.discriminator, y), prior, z)
                    self.descend(terms, "g_loss")
                self.step("generator")
        return terms

    def _joint_step(self, parts: Sequence[Part], weight: float) -> Terms:
        """Encoder and decoder down distance and adversary together, and D on the same codes."""
        terms, codes = Terms(), []
        if self.generator_is_due():
            with self.only("autoencoder"):
                for x, y in parts:
                    z, prior = self.encode(x, y), self.prior(len(x), self.noise)
                    terms["distance"] = squared_distance(x, self.decode(z, y))
                    terms["g_loss"] = self.objective.generator(critic(self.discriminator, y), prior, z)
                    terms["autoencoder_loss"] = terms["distance"] + weight * terms["g_loss"]
                    self.descend(terms, "autoencoder_loss")
                    codes.append(z.detach())
                self.step("autoencoder")
        else:
            with torch.no_grad():
                codes = [self.encode(x, y) for x, y in parts]
        for (_, y), z in zip(parts, codes, strict=True):
            d, prior = critic(self.discriminator, y), self.prior(len(z), self.noise)
            terms |= self.objective.discriminator(d, prior, z, self.n_updates, self.noise)
            self.descend(terms, "d_loss")
        self.step("discriminator")
        return terms

    def losses(self, x: Tensor, generator: Generator | None = None, y: Tensor | None = None) -> dict[str, Tensor]:
        """The squared distance of images (B, C, H, W), and both players' losses on their codes."""
        z, d = self.encode(x, y), critic(self.discriminator, y)
        adversary = self.objective.evaluate(d(self.prior(len(x), generator)), d(z))
        return {"distance": squared_distance(x, self.decode(z, y)), **adversary}
