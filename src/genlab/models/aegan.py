"""An autoencoder with an adversary on its images."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn

from genlab.errors import positive
from genlab.models.adversarial import AdversarialModel
from genlab.models.autoencoding import EncoderDecoder, squared_distance
from genlab.models.base import Network


class AEGAN(EncoderDecoder, AdversarialModel):
    """An autoencoder whose reconstructions, and whose decoded draws from N(0, I), face a discriminator.

    The squared distance alone is least for the mean of all images that fit a code, which is blurred; the adversary
    pulls reconstructions to the images themselves (as in Larsen et al. 2016, table 1, "VAE_Dis", without a posterior).

    Args:
        image_shape: (C, H, W).
        latent_dim: length of a code.
        encoder: makes a network image_shape -> (latent_dim,).
        decoder: makes a network (latent_dim,) -> image_shape.
        discriminator: makes a network image_shape -> (1,): a logit.
        adversarial_weight: of the adversarial loss beside the squared distance, above 0.
        adversarial: see `AdversarialModel`.
    """

    def __init__(
        self,
        image_shape: Iterable[int],
        latent_dim: int,
        encoder: Network,
        decoder: Network,
        discriminator: Network,
        adversarial_weight: float = 10.0,
        **adversarial: Any,
    ) -> None:
        super().__init__(image_shape, latent_dim, **adversarial)
        self.encoder = encoder(self.image_shape, (latent_dim,))
        self.decoder = decoder((latent_dim,), self.image_shape)
        self.discriminator = discriminator(self.image_shape, (1,))
        self.adversarial_weight = positive("model.adversarial_weight", adversarial_weight)
        self.warn_of_batch_norm(self.discriminator)

    def players(self) -> Mapping[str, list[nn.Module]]:
        """D, and the autoencoder."""
        return {"discriminator": [self.discriminator], "autoencoder": [self.encoder, self.decoder]}

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """One step of D, then one of the autoencoder against it, on the same fakes."""
        x, _ = batch
        due = self.others_are_due(batch_idx)
        with torch.set_grad_enabled(due):
            x_hat = self.reconstruct(x)
            fake = torch.cat([x_hat, self.decode(self.prior(len(x), self.noise))])

        terms = self.judge(self.discriminator, x, fake.detach())
        self.update(terms, "d_loss", "discriminator")

        if due:
            with self.playing("autoencoder"):
                terms["distance"] = squared_distance(x, x_hat)
                terms["g_loss"] = self.deceive(self.discriminator, x, fake)
                terms["loss"] = terms["distance"] + self.adversarial_weight * terms["g_loss"]
                self.update(terms, "loss", "autoencoder")
        self.close_batch(terms)

    def losses(self, x: Tensor, generator: Generator | None = None) -> dict[str, Tensor]:
        """The squared distance of images (B, C, H, W), and both players' losses on reconstructions and samples."""
        x_hat = self.reconstruct(x)
        fake = torch.cat([x_hat, self.sample(len(x), generator)])
        return {"distance": squared_distance(x, x_hat), **self.stake(self.discriminator(x), self.discriminator(fake))}
