"""What models share whose codes are entries of a codebook."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from genlab.conditioning import given
from genlab.distributed import has_group, mean_over_processes
from genlab.metrics import codebook_use
from genlab.models.autoencoding import EncoderDecoder
from genlab.networks.quantizers import Quantizer

MEMORY = 100  # batches over which frequencies are averaged


class QuantizedCodes(EncoderDecoder):
    """Codes that a quantiser rounds, mixed into an `ImageModel` with encoder, quantiser and decoder.

    The prior draws the entry at each place by itself, as often as it was there in the training images of the last 100
    batches or so. Before training all entries are alike.
    """

    quantizer: Quantizer
    frequencies: Tensor
    n_counted: Tensor

    def start_counting(self) -> None:
        """Give the model its frequencies, (n_indices, codebook_size): of each entry at each place."""
        n, size = self.quantizer.n_indices, self.quantizer.codebook_size
        self.register_buffer("frequencies", torch.full((n, size), 1 / size))  # type: ignore[attr-defined]
        self.register_buffer("n_counted", torch.tensor(0))  # type: ignore[attr-defined]

    @property
    def codebook_size(self) -> int:
        """The number of entries of a codebook."""
        return self.quantizer.codebook_size

    @property
    def n_indices(self) -> int:
        """How many numbers of entries a code consists of."""
        return self.quantizer.n_indices

    def encode(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Map images (B, C, H, W), and labels where there are any, to rounded codes (B, *latent_shape)."""
        return self.quantizer.round(self.encoder(x, **given(y)).float())

    def to_indices(self, z: Tensor) -> Tensor:
        """Map codes (B, *latent_shape) to the numbers (B, n_indices) of the entries nearest to them, long."""
        return self.quantizer.to_indices(z)

    def from_indices(self, indices: Tensor) -> Tensor:
        """Map numbers of entries (B, n_indices), long, to codes (B, *latent_shape)."""
        return self.quantizer.from_indices(indices)

    def from_noise(self, noise: Tensor) -> Tensor:
        """Map draws from N(0, I) to codes, both (B, *latent_shape): quantiles of the entries' frequencies.

        The first number of a vector says by its quantile in N(0, 1) which entry is taken, and the next ones say it for
        further codebooks. Computed on the CPU in float64, as some devices have none.
        """
        firsts = noise.double().flatten(2) if noise.ndim > 2 else noise.double().unsqueeze(2)  # (B, C, places)
        quantiles = torch.special.ndtr(firsts[:, : self.quantizer.depth]).transpose(1, 2).flatten(1)
        cumulated = self.frequencies.cpu().double().cumsum(1)
        indices = torch.searchsorted(cumulated, quantiles.T.contiguous()).clamp_max(self.codebook_size - 1)
        return self.from_indices(indices.T.to(self.frequencies.device))

    def prior_moments(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each entry of a code under the prior, `latent_shape` each."""
        mean, variance = self.quantizer.moments(self.frequencies)
        return mean, variance.sqrt()

    def inference_networks(self) -> Mapping[str, nn.Module]:
        """Encoder, quantiser and decoder."""
        return {"encoder": self.encoder, "quantizer": self.quantizer, "decoder": self.decoder}

    def use(self, indices: Tensor) -> dict[str, Tensor]:
        """Perplexity and used share of the codebook, or their means over several, by (B, n_indices): scalars."""
        levels = indices.unflatten(1, (-1, self.quantizer.depth)).unbind(2)
        perplexities, shares = zip(*(codebook_use(level, self.codebook_size) for level in levels), strict=True)
        return {"perplexity": torch.stack(perplexities).mean(), "codes_used": torch.stack(shares).mean()}

    @torch.no_grad()
    def count(self, indices: Tensor) -> None:
        """Let the frequencies follow those of a batch of training images, (B, n_indices), over all processes."""
        ones = torch.ones_like(indices, dtype=self.frequencies.dtype)
        counts = torch.zeros_like(self.frequencies).scatter_add_(1, indices.T, ones.T)
        self.n_counted += 1
        share = 1 / self.n_counted.clamp_max(MEMORY)
        self.frequencies.lerp_(mean_over_processes(counts / len(indices)), share)

    def setup(self, stage: str) -> None:
        """Learn the codebook together with the other processes."""
        super().setup(stage)  # type: ignore[misc]
        if has_group():
            self.quantizer.synchronise()
