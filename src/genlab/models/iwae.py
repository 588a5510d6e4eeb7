"""The importance weighted autoencoder."""

from collections.abc import Sequence
from typing import Any

from torch import Generator, Tensor
from torch.optim import Optimizer

from genlab.bounds import PositiveInt
from genlab.errors import UsageError
from genlab.losses import kl_to_standard_normal
from genlab.metrics.likelihood import importance_weighted_bound
from genlab.models.scheduled import Target
from genlab.models.vae import VAE


class IWAE(VAE):
    """A VAE with the K-sample bound (Burda et al. 2016, eq. 8), tighter than the ELBO, which it is for K = 1.

    -log p(x) <= -E[log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x)] with z_1, ..., z_K drawn from q(z|x).

    Args:
        n_importance: K, at least 1.
        vae: see `VAE`; beta, free bits and a warm-up have no place in this bound.
    """

    def __init__(self, *args: Any, n_importance: PositiveInt = 5, **vae: Any) -> None:
        super().__init__(*args, **vae)
        self.n_importance = n_importance
        if (self.beta, self.free_bits, self.warm_up) != (1.0, 0.0, 0):
            raise UsageError("model.beta, model.free_bits and model.warm_up change the ELBO: model=vae has them.")

    def schedule_targets(self, optimizers: Sequence[Optimizer]) -> dict[str, Target]:
        """Those of a VAE, but for what the bound has no place for."""
        targets = super().schedule_targets(optimizers)
        return {name: target for name, target in targets.items() if name not in ("beta", "free_bits")}

    def losses(
        self, x: Tensor, generator: Generator | None = None, y: Tensor | None = None, kl_weight: float = 1.0
    ) -> dict[str, Tensor]:
        """The bound for images (B, C, H, W), and the terms that the ELBO would have; nats per image, batch means."""
        mean, logvar = self.posterior(x, y)
        log_weights, nll = self.importance(x, mean, logvar, self.n_importance, generator, y)
        kl = kl_to_standard_normal(mean, logvar)
        return {"loss": -importance_weighted_bound(log_weights).mean(), "nll": nll.mean(), "kl": kl.mean()}
