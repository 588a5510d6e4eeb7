"""What models with an adversary share: alternating steps by hand."""

from collections.abc import Iterable

from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor

from genlab.models.base import ImageModel


class AdversarialModel(ImageModel):
    """A model whose `training_step` steps several optimisers in turn.

    The optimiser that `configure_optimizers` returns last closes the batch: its step alone is counted, so that
    `global_step`, `trainer.max_steps` and step-based checkpoints count batches. (Lightning counts every step.)
    """

    def __init__(self, image_shape: Iterable[int], latent_dim: int) -> None:
        super().__init__(image_shape, latent_dim)
        self.automatic_optimization = False

    def update(self, loss: Tensor, optimizer: LightningOptimizer) -> None:
        """Take one step of `optimizer` down the gradient of the scalar `loss`."""
        optimizer.zero_grad()
        self.manual_backward(loss)
        if optimizer is self.optimizers()[-1]:  # type: ignore[index]  # a list, as there are several
            optimizer.step()
        else:  # what `optimizer.step` does, less the counting
            self.trainer.strategy.optimizer_step(optimizer.optimizer, lambda: None)
