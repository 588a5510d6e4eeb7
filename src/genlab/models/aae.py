"""The adversarial autoencoder."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Generator, Tensor, nn

from genlab.models.adversarial import AdversarialModel
from genlab.models.autoencoding import EncoderDecoder, squared_distance
from genlab.models.base import Network


class AAE(EncoderDecoder, AdversarialModel):
    """An autoencoder whose codes an adversary compares with draws from N(0, I) (Makhzani et al. 2016, section 2).

    Args:
        image_shape: (C, H, W).
        latent_dim: length of a code.
        encoder: makes a network image_shape -> (latent_dim,).
        decoder: makes a network (latent_dim,) -> image_shape.
        code_discriminator: makes a network (latent_dim,) -> (1,): a logit.
        adversarial: see `AdversarialModel`.
    """

    def __init__(
        self,
        image_shape: Iterable[int],
        latent_dim: int,
        encoder: Network,
        decoder: Network,
        code_discriminator: Network,
        **adversarial: Any,
    ) -> None:
        super().__init__(image_shape, latent_dim, **adversarial)
        self.encoder = encoder(self.image_shape, (latent_dim,))
        self.decoder = decoder((latent_dim,), self.image_shape)
        self.discriminator = code_discriminator((latent_dim,), (1,))
        self.warn_of_batch_norm(self.discriminator)

    def players(self) -> Mapping[str, list[nn.Module]]:
        """The encoder plays twice: to reconstruct, and to deceive D."""
        return {
            "autoencoder": [self.encoder, self.decoder],
            "discriminator": [self.discriminator],
            "generator": [self.encoder],
        }

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """The reconstruction phase, then the regularisation phase: D, and the encoder against it."""
        x, _ = batch
        due = self.others_are_due(batch_idx)
        terms: dict[str, Tensor] = {}
        if due:
            with self.playing("autoencoder"):
                terms["distance"] = squared_distance(x, self.reconstruct(x))
                self.update(terms, "distance", "autoencoder")

        with self.playing("generator"):
            z = self.encode(x)
        terms |= self.judge(self.discriminator, self.prior(len(x), self.noise), z.detach())
        self.update(terms, "d_loss", "discriminator")

        if due:
            with self.playing("generator"):
                terms["g_loss"] = self.deceive(self.discriminator, self.prior(len(x), self.noise), z)
                self.update(terms, "g_loss", "generator")
        self.close_batch(terms)

    def losses(self, x: Tensor, generator: Generator | None = None) -> dict[str, Tensor]:
        """The squared distance of images (B, C, H, W), and both players' losses on their codes."""
        z = self.encode(x)
        real_logits = self.discriminator(self.prior(len(x), generator))
        return {"distance": squared_distance(x, self.decode(z)), **self.stake(real_logits, self.discriminator(z))}
