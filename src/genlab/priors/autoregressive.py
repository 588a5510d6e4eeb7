"""A density of one position of a code after the other."""

from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genlab.bounds import PositiveFloat, PositiveInt, ShareBelowOne
from genlab.errors import UsageError
from genlab.priors.attention import HEAD, Transformer
from genlab.priors.trained import Trained
from genlab.protocols import HasCodebook, Samples

MOST_POSITIONS = 1024  # of a code: a draw passes through the network once for each
AT_ONCE = 500  # draws whose past is in memory


class Autoregressive(Trained):
    """p(z) = prod_i p(z_i | z_1, ..., z_(i-1)) by a small causal transformer over the positions of a code.

    Where codes are entries of a codebook, z_i is the number of one, with probabilities by a softmax (van den Oord et
    al. 2017, section 3.3). Elsewhere z_i is a vector, of the channels of a code (C, h, w) or one entry of a flat code,
    with a mixture of Gaussians with diagonal covariances.

    Args:
        model, epochs, batch_size, lr: see `Trained`.
        width: of a token, a multiple of 32.
        depth: blocks of the transformer.
        n_components: Gaussians of a mixture.
        dropout: share of the entries of a token that are left out in training.
    """

    is_exported = False

    def __init__(
        self,
        model: Samples,
        epochs: PositiveInt = 24,
        batch_size: PositiveInt = 64,
        lr: PositiveFloat = 3e-3,
        width: PositiveInt = 64,
        depth: PositiveInt = 2,
        n_components: PositiveInt = 10,
        dropout: ShareBelowOne = 0.1,
    ) -> None:
        super().__init__(model, epochs, batch_size, lr)
        codebook = model if isinstance(model, HasCodebook) else None
        shape = self.latent_shape
        self.channels = 1 if codebook or len(shape) == 1 else shape[0]
        self.n_positions = codebook.n_indices if codebook else prod(shape) // self.channels
        self._check(width)
        self.numbers = (codebook.to_indices, codebook.from_indices) if codebook else None
        self.n_components = n_components
        n_outputs = codebook.codebook_size if codebook else n_components * (1 + 2 * self.channels)
        self.enter: nn.Module = nn.Embedding(n_outputs, width) if codebook else nn.Linear(self.channels, width)
        self.start, self.place = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(self.n_positions, width))
        self.dropout, self.transformer = nn.Dropout(dropout), Transformer(width, depth)
        self.leave = nn.Linear(width, n_outputs)

    def _check(self, width: int) -> None:
        if self.n_positions > MOST_POSITIONS:
            raise UsageError(
                f"prior=autoregressive goes over the positions of a code one by one, {self.n_positions:,} here, and "
                f"{MOST_POSITIONS:,} at most are possible: type prior=flow."
            )
        if width % HEAD:
            raise UsageError(f"prior.width={width} is not possible: it must be a multiple of {HEAD}.")

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """For each position one entry that chooses, a number or a Gaussian, and those of a draw from the Gaussian."""
        return (self.n_positions, 1 if self.numbers else 1 + self.channels)

    def nll(self, codes: Tensor) -> Tensor:
        """-log p of the numbers, or of the standardised codes (B, *latent_shape): (B,) in nats."""
        z = self._to_sequence(codes)
        before = torch.cat([self.start.expand(len(z), 1, -1), self.enter(z[:, :-1])], 1)
        out = self.leave(self.transformer(self.dropout(before + self.place))[0])
        if self.numbers:
            return F.cross_entropy(out.transpose(1, 2), z, reduction="none").sum(1)
        log_weights, mean, log_std = self._mixture(out)
        log_p = torch.distributions.Normal(mean, log_std.exp()).log_prob(z[:, :, None]).sum(-1)
        return -(log_weights + log_p).logsumexp(-1).sum(1)

    def from_noise(self, noise: Tensor) -> Tensor:
        """Draw the positions one by one: the first entry of the noise chooses, by its quantile."""
        return torch.cat([self._draw(part.to(self.mean)) for part in noise.split(AT_ONCE)])

    def _draw(self, noise: Tensor) -> Tensor:
        token, past, drawn = self.start.expand(len(noise), 1, -1), None, []
        for position in range(self.n_positions):
            hidden, past = self.transformer(token + self.place[position], past)
            drawn.append(self._draw_one(self.leave(hidden[:, 0]), noise[:, position]))
            token = self.enter(drawn[-1][:, None])
        return self._from_sequence(torch.stack(drawn, 1))

    def _draw_one(self, out: Tensor, noise: Tensor) -> Tensor:
        """z_i by what the network says of it (B, outputs) and its noise (B, 1 + channels) or (B, 1)."""
        quantile = torch.special.ndtr(noise[:, :1])
        if self.numbers:
            return _choose(out.log_softmax(-1), quantile)
        log_weights, mean, log_std = self._mixture(out)
        chosen = _choose(log_weights, quantile)[:, None, None].expand(-1, 1, self.channels)
        return (mean.gather(1, chosen) + log_std.exp().gather(1, chosen) * noise[:, None, 1:])[:, 0]

    def _mixture(self, out: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log weights (..., K), means and logarithms of standard deviations (..., K, channels)."""
        weights, rest = out.split([self.n_components, 2 * self.n_components * self.channels], -1)
        mean, log_std = rest.unflatten(-1, (self.n_components, 2, self.channels)).unbind(-2)
        return weights.log_softmax(-1), mean, log_std.clamp(-5, 3)

    def _to_sequence(self, codes: Tensor) -> Tensor:
        """Codes (B, *latent_shape) as numbers (B, L), or standardised as vectors (B, L, channels)."""
        if self.numbers:
            return self.numbers[0](codes)
        return ((codes - self.mean) / self.std).view(len(codes), self.channels, -1).transpose(1, 2)

    def _from_sequence(self, z: Tensor) -> Tensor:
        """The inverse."""
        if self.numbers:
            return self.numbers[1](z)
        return self.mean + self.std * z.transpose(1, 2).reshape(-1, *self.latent_shape)


def _choose(log_weights: Tensor, quantile: Tensor) -> Tensor:
    """The numbers (B,) at which the sum of weights (B, K) reaches a quantile (B, 1) from 0 to 1."""
    chosen = torch.searchsorted(log_weights.exp().cumsum(-1).contiguous(), quantile.contiguous())[:, 0]
    return chosen.clamp_max(log_weights.shape[-1] - 1)  # the weights may sum to less than 1 by rounding
