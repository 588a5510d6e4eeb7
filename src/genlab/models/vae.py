"""The variational autoencoder."""

from collections.abc import Iterable
from typing import Any

from torch import Generator, Tensor
from torch.distributions import Normal

from genlab.bounds import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from genlab.conditioning import drawn_labels, given
from genlab.losses import free_bits, kl_per_entry, warm_up
from genlab.models.autoencoding import GaussianPosterior, reparametrise
from genlab.models.base import ImageModel, Network
from genlab.protocols import Likelihood


class VAE(GaussianPosterior, ImageModel):
    """Auto-encoding variational Bayes (Kingma and Welling 2014).

    Prior p(z) = N(0, I), posterior q(z|x) = N(mu(x), diag sigma(x)^2), decoder p(x|z), for the Gaussian likelihood
    N(Psi(z), sigma^2 I). The loss is the negative ELBO in nats per image, E_q[-log p(x|z)] + beta KL(q(z|x) || p(z)),
    with one draw of z.

    Args:
        encoder: makes a network image_shape -> (2 * latent_dim,) or (2 * C, h, w): means, then log variances.
        decoder: makes a network latent_shape -> image_shape: Psi.
        likelihood: p(x|z).
        beta: weight of the KL term, above 0; 1 is the ELBO (Higgins et al. 2017 for others).
        free_bits: nats for each entry of the code that the KL term does not punish (Kingma et al. 2016, appendix C.8).
        warm_up: images over which the weight of the KL term rises from 0 (Sonderby et al. 2016); 0 for none.
        image_shape, latent_dim, common: see `ImageModel`.
    """

    def __init__(
        self,
        image_shape: Iterable[int],
        latent_dim: PositiveInt | None,
        encoder: Network,
        decoder: Network,
        likelihood: Likelihood,
        beta: PositiveFloat = 1.0,
        free_bits: NonNegativeFloat = 0.0,
        warm_up: NonNegativeInt = 0,
        **common: Any,
    ) -> None:
        super().__init__(image_shape, latent_dim, **common)
        self.likelihood = likelihood
        self.encoder = self.network(encoder, self.image_shape, self.posterior_shape)
        self.decoder = self.network(decoder, self.latent_shape, self.image_shape, **likelihood.decoder_options)
        self.beta = beta
        self.free_bits = free_bits
        self.warm_up = warm_up

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Map codes (B, *latent_shape) to the means of p(x|z), images (B, C, H, W) in [-1, 1]."""
        return self.likelihood.mean(self.decoder(z, **given(y)).float())

    def sample(
        self, n: int, generator: Generator | None = None, y: Tensor | None = None, noise: bool = False
    ) -> Tensor:
        """Draw n images (n, C, H, W): means of p(x|z), or with `noise` draws from it, which may leave [-1, 1]."""
        z = self.prior(n, generator)
        y = drawn_labels(self, n, generator) if y is None else y
        return self.draw(z, generator, y) if noise else self.decode(z, y)

    def draw(self, z: Tensor, generator: Generator | None = None, y: Tensor | None = None) -> Tensor:
        """Draw an image from p(x|z) for each of the codes (B, *latent_shape): (B, C, H, W), which may leave [-1, 1]."""
        return self.likelihood.sample(self.decoder(z, **given(y)).float(), generator)

    def importance(
        self,
        x: Tensor,
        mean: Tensor,
        logvar: Tensor,
        n: int,
        generator: Generator | None = None,
        y: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Draw z_1, ..., z_n from q(z|x) for images (B, C, H, W), given its means and log variances (B, *latent_shape).

        Returns:
            log p(x|z_k) + log p(z_k) - log q(z_k|x), and -log p(x|z_k), each (n, B) in nats.
        """
        means, logvars = (part.repeat_interleave(n, 0) for part in (mean, logvar))
        z = reparametrise(means, logvars, generator)
        out = self.decoder(z, **given(y if y is None else y.repeat_interleave(n, 0))).float()
        nll = self.likelihood.nll(x.repeat_interleave(n, 0), out)
        log_prior = Normal(0.0, 1.0, validate_args=False).log_prob(z).flatten(1).sum(1)
        log_posterior = Normal(means, (0.5 * logvars).exp(), validate_args=False).log_prob(z).flatten(1).sum(1)
        return (log_prior - nll - log_posterior).view(-1, n).T, nll.view(-1, n).T

    def losses(
        self, x: Tensor, generator: Generator | None = None, y: Tensor | None = None, kl_weight: float = 1.0
    ) -> dict[str, Tensor]:
        """The loss of images (B, C, H, W) and the two terms of the ELBO, in nats per image, mean over the batch.

        The loss is the negative ELBO, the sum of the terms, but for beta, free bits and `kl_weight`, which change the
        KL's part in it alone.
        """
        mean, logvar = self.posterior(x, y)
        z = reparametrise(mean, logvar, generator)
        nll = self.likelihood.nll(x, self.decoder(z, **given(y)).float()).mean()
        kl = kl_per_entry(mean, logvar)
        loss = nll + kl_weight * self.beta * free_bits(kl, self.free_bits)
        return {"loss": loss, "nll": nll, "kl": kl.flatten(1).sum(1).mean()}

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Descend the negative ELBO."""
        x, y = self.told(batch)
        losses = self.losses(x, self.noise, y, warm_up(self.images_seen, self.warm_up))
        self.log_training(losses)
        return losses["loss"]

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Look at the first images: not every likelihood is one of theirs."""
        super().on_train_batch_start(batch, batch_idx)
        if self.global_step == 0:
            self.likelihood.check(batch[0])
