"""The bidirectional GAN."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn

from genlab.bounds import PositiveInt
from genlab.conditioning import given
from genlab.models.adversarial import AdversarialModel, Part, Terms
from genlab.models.autoencoding import Autoencoder
from genlab.models.base import Network
from genlab.networks.conditional import critic


class BiGAN(Autoencoder, AdversarialModel):
    """A GAN with an encoder: D tells pairs (x, E(x)) from pairs (G(z), z) (Donahue et al. 2017, eq. 3).

    At the optimum E, the encoder, inverts G, the decoder, so the model can encode and reconstruct without ever
    comparing an image with its reconstruction. What G minimises on its pairs, E minimises on its own
    (`Objective.both_sides`).

    Args:
        discriminator: makes the part of D that looks at the image, image_shape -> (n_features,).
        code_discriminator: makes the part that sees its features and the code, (n_features + latent_dim,) -> (1,).
        n_features: what the first part tells the second.
        args, options: see `Autoencoder` and `AdversarialModel`.
    """

    def __init__(
        self,
        *args: Any,
        discriminator: Network,
        code_discriminator: Network,
        n_features: PositiveInt = 128,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        looks = discriminator(self.image_shape, (n_features,))
        judges = self.network(code_discriminator, (n_features + self.latent_dim,), (1,))
        self.discriminator = PairDiscriminator(looks, judges)

    def players(self) -> Mapping[str, list[nn.Module]]:
        """D, and G with E."""
        return {"discriminator": [self.discriminator], "generator": [self.decoder, self.encoder]}

    def adversarial_step(self, parts: Sequence[Part]) -> Terms:
        """One step of D, then one of G and E against it, on the same pairs."""
        xs, ys = zip(*parts, strict=True)
        codes = [self.prior(len(x), self.noise) for x in xs]
        detached, made = self.make(self.infer_and_generate, xs, codes, ys)

        for (x, y), z, (z_hat, x_hat) in zip(parts, codes, detached, strict=True):
            real, fake, d = (x, z_hat), (x_hat, z), critic(self.discriminator, y)
            terms = self.objective.discriminator(d, real, fake, self.n_updates, self.noise)
            self.descend(terms, "d_loss")
        self.step("discriminator")

        if self.generator_is_due():
            with self.only("generator"):
                for (x, y), z, (z_hat, x_hat) in zip(parts, codes, made, strict=True):
                    d = critic(self.discriminator, y)
                    terms["g_loss"] = self.objective.both(d, (x, z_hat), (x_hat, z))
                    self.descend(terms, "g_loss")
                self.step("generator")
        return terms

    def infer_and_generate(self, x: Tensor, z: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map images (B, C, H, W) and codes (B, *latent_shape) to E(x) and G(z), of the shapes of z and x."""
        return self.encode(x, y), self.decode(z, y)

    def losses(self, x: Tensor, generator: Generator | None = None, y: Tensor | None = None) -> dict[str, Tensor]:
        """Both sides' losses and D's accuracies on the pairs of images (B, C, H, W) and of as many codes."""
        z = self.prior(len(x), generator)
        d = critic(self.discriminator, y)
        real_logits, fake_logits = d(x, self.encode(x, y)), d(self.decode(z, y), z)
        both = self.objective.both_sides(real_logits, fake_logits)
        return {**self.objective.evaluate(real_logits, fake_logits), "g_loss": both}


class PairDiscriminator(nn.Module):
    """D(x, z): features of the image, joined with the code."""

    def __init__(self, looks: nn.Module, judges: nn.Module) -> None:
        super().__init__()
        self.looks, self.judges = looks, judges

    def forward(self, x: Tensor, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Map images (B, C, H, W) and codes (B, *latent_shape), and labels where there are any, to logits (B, 1)."""
        return self.judges(torch.cat([self.looks(x), z.flatten(1)], dim=1), **given(y)).float()
