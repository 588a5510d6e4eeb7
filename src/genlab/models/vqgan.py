"""The autoencoder with a codebook that images are generated over."""

from collections.abc import Iterable
from typing import Any

from torch import Generator, Tensor

from genlab.bounds import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from genlab.conditioning import given
from genlab.models.adversarial import Terms
from genlab.models.base import Network
from genlab.models.first_stage import FirstStage
from genlab.models.quantized import QuantizedCodes
from genlab.protocols import ImageDistance


class VQGAN(QuantizedCodes, FirstStage):
    """Taming transformers for high-resolution image synthesis (Esser et al. 2021, section 3.1).

    The loss is |x - x_hat| + d(x, x_hat) + commitment |z_e(x) - e|^2, summed over pixels and entries of the code, and a
    discriminator on patches of reconstructions: see `FirstStage`. For the codebook see `VQVAE`.

    Args:
        encoder: makes a network image_shape -> latent_shape.
        decoder: makes a network latent_shape -> image_shape.
        discriminator: makes a network image_shape -> (1,), best one of patches.
        quantizer: makes a map of codes to rounded ones from latent_shape.
        perceptual: d.
        commitment: weight of the quantiser's penalty.
        perceptual_weight: of d beside the mean absolute distance.
        adversarial_weight: of D, in norms of gradients.
        d_start: the batch from which D plays; None for that after a quarter of the run.
        image_shape, latent_dim, adversarial: see `AdversarialModel`.
    """

    def __init__(
        self,
        image_shape: Iterable[int],
        latent_dim: PositiveInt | None,
        encoder: Network,
        decoder: Network,
        discriminator: Network,
        quantizer: Network,
        perceptual: ImageDistance,
        commitment: NonNegativeFloat = 1.0,
        perceptual_weight: NonNegativeFloat = 1.0,
        adversarial_weight: PositiveFloat = 0.8,
        d_start: NonNegativeInt | None = None,
        **adversarial: Any,
    ) -> None:
        super().__init__(image_shape, latent_dim, **adversarial)
        self.encoder = self.network(encoder, self.image_shape, self.latent_shape)
        self.quantizer: Any = quantizer(self.latent_shape)
        self.decoder = self.network(decoder, self.latent_shape, self.image_shape)
        self.discriminator = self.network(discriminator, self.image_shape, (1,))
        self.perceptual, self.perceptual_weight = perceptual, perceptual_weight
        self.commitment, self.adversarial_weight, self.d_start = commitment, adversarial_weight, d_start
        self.start_counting()

    def autoencode(self, x: Tensor, generator: Generator | None, y: Tensor | None) -> tuple[Tensor, Terms]:
        """Reconstructions of images, both (B, C, H, W), from rounded codes; the commitment, and the codebook's use."""
        z, indices, penalty = self.quantizer(self.encoder(x, **given(y)).float())
        if self.training:
            self.count(indices)
        return self.decode(z, y), {"commitment": penalty, "code_loss": self.commitment * penalty, **self.use(indices)}
