"""An adversarial loss with its penalties: all that the two players minimise."""

from collections.abc import Mapping

from torch import Generator, Tensor

from genlab.errors import UsageError
from genlab.losses.penalties import Batch, Critic
from genlab.protocols import AdversarialLoss, Penalty


class Objective:
    """A loss for both players, plus penalties for D. It works on any shape: images of a GAN, codes of an AAE.

    Logits are taken to float32 first: under autocast they come in half precision, too coarse for means and differences.

    Args:
        loss: what the players minimise, from logits.
        penalties: what D minimises besides, by the names under which they are logged.

    Raises:
        UsageError: if a penalty is called d_loss or g_loss.
    """

    def __init__(self, loss: AdversarialLoss, penalties: Mapping[str, Penalty] | None = None) -> None:
        self.loss = loss
        self.penalties = dict(penalties or {})
        if taken := {"d_loss", "g_loss"} & self.penalties.keys():
            raise UsageError(f"A penalty can't be called {taken.pop()}: the log has that name for a player's loss.")

    @property
    def uses_real(self) -> bool:
        """Whether G's loss needs the logits of real samples."""
        return self.loss.uses_real

    def discriminator_terms(
        self,
        critic: Critic,
        real_logits: Tensor,
        fake_logits: Tensor,
        real: Batch,
        fake: Batch,
        step: int,
        generator: Generator | None = None,
    ) -> dict[str, Tensor]:
        """What D minimises, as `d_loss`, and each penalty that is due at `step`, as it enters that sum.

        Args:
            critic: from a batch to logits; the arguments of the tuple, if batches are tuples.
            real_logits, fake_logits: what the critic says of the batches, any shape.
            real, fake: the batches, tensors (B, ...) or tuples of such; gradients stop there.
            step: number of the batch, from 0: a penalty is due at each multiple of its `every`, then that many
                times as strong.
            generator: a CPU generator for the penalties' draws.
        """
        loss = self.loss.discriminator(real_logits.float(), fake_logits.float())
        due = {
            name: penalty.every * penalty(critic, real, fake, generator)
            for name, penalty in self.penalties.items()
            if step % penalty.every == 0
        }
        return {"d_loss": sum(due.values(), loss), **due}

    def generator_loss(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """What G minimises, a scalar from logits of any shape; `real_logits` are needed where `uses_real` says so."""
        return self.loss.generator(fake_logits.float(), None if real_logits is None else real_logits.float())

    def accuracies(self, real_logits: Tensor, fake_logits: Tensor) -> dict[str, Tensor]:
        """D's accuracies, `d_accuracy_real` and `d_accuracy_fake` in [0, 1], from logits of any shape.

        Both are 1/2 on average for a D that guesses. Empty where the loss has no decision boundary.
        """
        boundary = self.loss.boundary
        if boundary is None:
            return {}
        return {
            "d_accuracy_real": (real_logits.float() > boundary).float().mean(),
            "d_accuracy_fake": (fake_logits.float() <= boundary).float().mean(),
        }


def as_objective(objective: Objective | AdversarialLoss) -> Objective:
    """Return `objective`, wrapped if it is a bare loss: so do configs of older checkpoints have it."""
    return objective if isinstance(objective, Objective) else Objective(objective)
