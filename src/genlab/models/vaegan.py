"""The variational autoencoder with a learned similarity."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn

from genlab.bounds import PositiveFloat, PositiveInt
from genlab.conditioning import given
from genlab.losses import kl_to_standard_normal
from genlab.models.adversarial import AdversarialModel, Part, Terms
from genlab.models.autoencoding import GaussianPosterior, reparametrise, squared_distance
from genlab.models.base import Network
from genlab.networks.conditional import critic


class VAEGAN(GaussianPosterior, AdversarialModel):
    """Autoencoding beyond pixels using a learned similarity metric (Larsen et al. 2016, algorithm 1).

    The likelihood is a Gaussian of unit variance on features of the discriminator, p(Dis_l(x) | z), and the decoder is
    the generator of a GAN, for reconstructions and for decoded draws from the prior. Each network has a loss of its
    own: the encoder L_prior + L_llike, the decoder gamma L_llike - L_GAN, the discriminator L_GAN.

    Args:
        encoder: makes a network image_shape -> (2 * latent_dim,) or (2 * C, h, w): means, then log variances.
        decoder: makes a network latent_shape -> image_shape.
        discriminator: makes a network image_shape -> (1,) with `features` and `head`.
        gamma: weight of the likelihood in the decoder's loss, above 0.
        image_shape, latent_dim, adversarial: see `AdversarialModel`.
    """

    def __init__(
        self,
        image_shape: Iterable[int],
        latent_dim: PositiveInt | None,
        encoder: Network,
        decoder: Network,
        discriminator: Network,
        gamma: PositiveFloat = 0.01,
        **adversarial: Any,
    ) -> None:
        super().__init__(image_shape, latent_dim, **adversarial)
        self.encoder = self.network(encoder, self.image_shape, self.posterior_shape)
        self.decoder = self.network(decoder, self.latent_shape, self.image_shape)
        self.discriminator: Any = self.network(discriminator, self.image_shape, (1,))
        self.gamma = gamma

    def players(self) -> Mapping[str, list[nn.Module]]:
        """One a network."""
        return {"encoder": [self.encoder], "decoder": [self.decoder], "discriminator": [self.discriminator]}

    def adversarial_step(self, parts: Sequence[Part]) -> Terms:
        """Encoder, decoder and discriminator in turn, each down the gradient of its own loss."""
        terms, codes, fakes = Terms(), [], []
        if self.generator_is_due():
            with self.only("encoder"):
                for x, y in parts:
                    z, terms = self.encoder_terms(x, y)
                    self.descend(terms, "encoder_loss")
                    codes.append(z.detach())
                self.step("encoder")
            with self.only("decoder"):
                for (x, y), z in zip(parts, codes, strict=True):
                    fake = torch.cat([self.decode(z, y), self.decode(self.prior(len(x), self.noise), y)])
                    terms["g_loss"] = self.objective.generator(critic(self.discriminator, y), x, fake)
                    terms["decoder_loss"] = self.gamma * self.dissimilarity(x, fake[: len(x)], y) + terms["g_loss"]
                    self.descend(terms, "decoder_loss")
                    fakes.append(fake.detach())
                self.step("decoder")
        else:
            with torch.no_grad():
                fakes = [self._fakes(x, self.noise, y) for x, y in parts]
        for (x, y), fake in zip(parts, fakes, strict=True):
            d = critic(self.discriminator, y)
            terms |= self.objective.discriminator(d, x, fake, self.n_updates, self.noise)
            self.descend(terms, "d_loss")
        self.step("discriminator")
        return terms

    def encoder_terms(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Terms]:
        """Draw codes (B, *latent_shape) of images (B, C, H, W); and the encoder's loss with its two terms, scalars."""
        mean, logvar = self.posterior(x, y)
        z = reparametrise(mean, logvar, self.noise)
        kl, llike = kl_to_standard_normal(mean, logvar).mean(), self.dissimilarity(x, self.decode(z, y), y)
        return z, {"kl": kl, "llike": llike, "encoder_loss": kl + llike}

    def dissimilarity(self, x: Tensor, x_hat: Tensor, y: Tensor | None = None) -> Tensor:
        """-log p(Dis_l(x) | z) of images (B, C, H, W) and reconstructions, in nats less a constant: a scalar."""
        features = (self.discriminator.features(images, **given(y)).float() for images in (x, x_hat))
        return 0.5 * squared_distance(*features)

    def _fakes(self, x: Tensor, generator: Generator | None, y: Tensor | None) -> Tensor:
        z = reparametrise(*self.posterior(x, y), generator)
        return torch.cat([self.decode(z, y), self.sample(len(x), generator, y)])

    def losses(self, x: Tensor, generator: Generator | None = None, y: Tensor | None = None) -> dict[str, Tensor]:
        """The terms for images (B, C, H, W), as scalars; the KL term in nats per image."""
        fake, d = self._fakes(x, generator, y), critic(self.discriminator, y)
        return {
            "kl": kl_to_standard_normal(*self.posterior(x, y)).mean(),
            "llike": self.dissimilarity(x, fake[: len(x)], y),
            "distance": squared_distance(x, fake[: len(x)]),
            **self.objective.evaluate(d(x), d(fake)),
        }
