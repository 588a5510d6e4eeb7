"""The Wasserstein autoencoder."""

from typing import Any

from torch import Generator, Tensor

from genlab.bounds import NonNegativeFloat
from genlab.errors import UsageError
from genlab.losses import mmd
from genlab.models.autoencoding import Autoencoder, squared_distance


class WAE(Autoencoder):
    """WAE-MMD (Tolstikhin et al. 2018, algorithm 2): the codes of a batch are to look like draws from N(0, I).

    The loss is ||x - x_hat||^2 + weight MMD(codes, prior), with the squared distance in [-1, 1] summed over pixels. The
    encoder is deterministic. The authors' code takes the distance 0.05 times: their lambda is 0.05 of this weight. So
    their 100 for CelebA in [-1, 1] is 2000 here, and their 10 for MNIST, whose images they keep in [0, 1], 800.

    Args:
        mmd_weight: of the MMD, at least 0.
        args, options: see `Autoencoder`.
    """

    def __init__(self, *args: Any, mmd_weight: NonNegativeFloat = 100.0, **options: Any) -> None:
        super().__init__(*args, **options)
        self.mmd_weight = mmd_weight

    def losses(self, x: Tensor, generator: Generator | None = None, y: Tensor | None = None) -> dict[str, Tensor]:
        """The two terms for images (B, C, H, W) and their sum, scalars; one image alone has no MMD."""
        z = self.encode(x, y)
        distance = squared_distance(x, self.decode(z, y))
        divergence = mmd(z, self.prior(len(z), generator)) if len(z) > 1 else distance.new_zeros(())
        return {"loss": distance + self.mmd_weight * divergence, "distance": distance, "mmd": divergence}

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Refuse batches of one image, which would train a plain autoencoder."""
        if len(batch[0]) < 2:
            raise UsageError("WAE compares the codes of a batch with each other: type data.batch_size=2 or more.")
        super().on_train_batch_start(batch, batch_idx)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Descend the sum."""
        x, y = self.told(batch)
        losses = self.losses(x, self.noise, y)
        self.log_training(losses)
        return losses["loss"]
