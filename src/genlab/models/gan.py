"""The generative adversarial network."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from genlab.models.adversarial import AdversarialModel
from genlab.models.base import Network, OptimizerFactory
from genlab.protocols import AdversarialLoss


class GAN(AdversarialModel):
    """Generative adversarial nets (Goodfellow et al. 2014, algorithm 1 with k = 1).

    Args:
        image_shape: (C, H, W).
        latent_dim: length of a code.
        generator: makes a network (latent_dim,) -> image_shape.
        discriminator: makes a network image_shape -> (1,): a logit.
        objective: the adversarial loss.
        optimizer: makes an optimiser from parameters; called once for each network.
    """

    def __init__(
        self,
        image_shape: Iterable[int],
        latent_dim: int,
        generator: Network,
        discriminator: Network,
        objective: AdversarialLoss,
        optimizer: OptimizerFactory,
    ) -> None:
        super().__init__(image_shape, latent_dim)
        self.generator = generator((latent_dim,), self.image_shape)
        self.discriminator = discriminator(self.image_shape, (1,))
        self.objective = objective
        self.optimizer_factory = optimizer

    def decode(self, z: Tensor) -> Tensor:
        """Map codes (B, latent_dim) to images (B, C, H, W) in [-1, 1]: G(z)."""
        return self.generator(z)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """One step of D up its objective, then one of G against the new D, on the same fakes."""
        real, _ = batch
        d_optimizer, g_optimizer = self.optimizers()  # type: ignore[attr-defined]
        fake = self.decode(self.prior(len(real), self.noise))

        d_loss = self.objective.discriminator(self.discriminator(real), self.discriminator(fake.detach()))
        self.update(d_loss, d_optimizer)

        with self.toggled_optimizer(g_optimizer):  # D's weights get no gradient that nobody uses
            g_loss = self.objective.generator(self.discriminator(fake))
            self.update(g_loss, g_optimizer)

        self.log_training({"d_loss": d_loss, "g_loss": g_loss})

    def losses(self, x: Tensor, generator: Generator | None = None) -> dict[str, Tensor]:
        """Both players' losses on images (B, C, H, W) and as many fakes."""
        fake_logits = self.discriminator(self.sample(len(x), generator))
        return {
            "d_loss": self.objective.discriminator(self.discriminator(x), fake_logits),
            "g_loss": self.objective.generator(fake_logits),
        }

    def inference_networks(self) -> Mapping[str, nn.Module]:
        """The generator alone."""
        return {"generator": self.generator}

    def configure_optimizers(self) -> list[Optimizer]:
        """One optimiser a player, D's first."""
        return [self.optimizer_factory(net.parameters()) for net in (self.discriminator, self.generator)]
