"""The vector quantised variational autoencoder."""

from collections.abc import Iterable
from typing import Any

from torch import Generator, Tensor

from genlab.bounds import NonNegativeFloat, PositiveInt
from genlab.conditioning import given
from genlab.models.base import ImageModel, Network
from genlab.models.quantized import QuantizedCodes
from genlab.protocols import Likelihood


class VQVAE(QuantizedCodes, ImageModel):
    """Neural discrete representation learning (van den Oord et al. 2017).

    The encoder's vectors z_e(x) are rounded to entries e of a codebook, through which gradients pass unchanged. The
    loss is -log p(x|z_q) + commitment |z_e(x) - e|^2 (eq. 3), summed over a code, with entries that follow the vectors
    by moving averages; other quantisers bring their own penalty.

    Args:
        encoder: makes a network image_shape -> latent_shape.
        decoder: makes a network latent_shape -> image_shape.
        quantizer: makes a map of codes to rounded ones from latent_shape.
        likelihood: p(x|z).
        commitment: weight of the quantiser's penalty, beta in the source.
        image_shape, latent_dim, common: see `ImageModel`.
    """

    def __init__(
        self,
        image_shape: Iterable[int],
        latent_dim: PositiveInt | None,
        encoder: Network,
        decoder: Network,
        quantizer: Network,
        likelihood: Likelihood,
        commitment: NonNegativeFloat = 0.25,
        **common: Any,
    ) -> None:
        super().__init__(image_shape, latent_dim, **common)
        self.likelihood = likelihood
        self.encoder = self.network(encoder, self.image_shape, self.latent_shape)
        self.quantizer: Any = quantizer(self.latent_shape)
        self.decoder = self.network(decoder, self.latent_shape, self.image_shape, **likelihood.decoder_options)
        self.commitment = commitment
        self.start_counting()

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Map codes (B, *latent_shape), as they are, to the means of p(x|z), images (B, C, H, W) in [-1, 1]."""
        return self.likelihood.mean(self.decoder(z, **given(y)).float())

    def losses(self, x: Tensor, generator: Generator | None = None, y: Tensor | None = None) -> dict[str, Tensor]:
        """The loss of images (B, C, H, W) with its two terms, and the use of the codebook, as scalars."""
        return self.losses_and_indices(x, y)[0]

    def losses_and_indices(self, x: Tensor, y: Tensor | None = None) -> tuple[dict[str, Tensor], Tensor]:
        """The same with the numbers (B, n_indices) of the entries; in training mode the codebook learns."""
        z, indices, penalty = self.quantizer(self.encoder(x, **given(y)).float())
        nll = self.likelihood.nll(x, self.decoder(z, **given(y)).float()).mean()
        loss = nll + self.commitment * penalty
        return {"loss": loss, "nll": nll, "commitment": penalty, **self.use(indices)}, indices

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Descend the loss, and count which entries are where."""
        x, y = self.told(batch)
        losses, indices = self.losses_and_indices(x, y)
        self.count(indices)
        self.log_training(losses)
        return losses["loss"]
