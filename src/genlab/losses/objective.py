"""An adversarial loss with its penalties: what the two players minimise."""

from collections.abc import Mapping

from torch import Generator, Tensor

from genlab.errors import UsageError
from genlab.losses.penalties import Batch, Critic, as_tuple
from genlab.protocols import AdversarialLoss, Penalty


class Objective:
    """A loss for both players, plus penalties for D. It works on any shape: images of a GAN, codes of an AAE.

    A critic is what maps a batch to logits (B, 1), or to those of patches (B, 1, h, w), each of which counts like an
    image: a discriminator, or one behind an augmentation. A batch is a tensor (B, ...), or a tuple of such, of which
    the critic takes one argument each (BiGAN). There are as many fakes as reals, or a multiple of them; penalties look
    at the last ones, as many as there are reals. Logits are taken to float32 first: under autocast they come in half
    precision, too coarse for means and differences.

    Args:
        loss: what the players minimise, from logits.
        penalties: what D minimises besides, by the names under which they are logged.
        spectral_norm: whether the game is one for a D with spectral normalisation. The configurations of
            discriminators follow it (configs/model/discriminator); it changes nothing here.

    Raises:
        UsageError: if a penalty is called d_loss or g_loss.
    """

    def __init__(
        self, loss: AdversarialLoss, penalties: Mapping[str, Penalty] | None = None, spectral_norm: bool = False
    ) -> None:
        self.loss = loss
        self.penalties = dict(penalties or {})
        self.spectral_norm = spectral_norm
        if taken := {"d_loss", "g_loss"} & self.penalties.keys():
            raise UsageError(f"A penalty can't be called {taken.pop()}: the log has that name for a player's loss.")

    def discriminator(
        self, critic: Critic, real: Batch, fake: Batch, step: int = 0, generator: Generator | None = None
    ) -> dict[str, Tensor]:
        """What D minimises, as `d_loss`, and each penalty that is due, as it enters that sum: scalars.

        Args:
            critic: D. Penalties call its `forward`, as a compiled module has no second derivatives.
            real, fake: the batches, detached.
            step: updates of D before this one; a penalty is due at multiples of its `every`, then that many times as
                strong.
            generator: a CPU generator for the penalties.
        """
        loss = self.loss.discriminator(*_logits(critic, real, fake))
        uncompiled = getattr(critic, "forward", critic)
        last = fake if isinstance(fake, tuple) else fake[-len(real) :]
        due = {
            name: penalty.every * penalty(uncompiled, real, last, generator)
            for name, penalty in self.penalties.items()
            if step % penalty.every == 0
        }
        return {"d_loss": sum(due.values(), loss), **due}

    def generator(self, critic: Critic, real: Batch, fake: Batch) -> Tensor:
        """What G minimises on its fakes, a scalar; it looks at the reals only where the loss compares with them."""
        if self.loss.uses_real:
            real_logits, fake_logits = _logits(critic, real, fake)
            return self.loss.generator(fake_logits, real_logits)
        return self.loss.generator(_rows(critic(*as_tuple(fake))))

    def both(self, critic: Critic, real: Batch, fake: Batch) -> Tensor:
        """What G and E of a BiGAN minimise, a scalar, whose pairs are `fake` and `real`: see `both_sides`."""
        return self.both_sides(*_logits(critic, real, fake))

    def both_sides(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The generator's loss on fake logits (B, 1), and its mirror image on real ones, where E wants them to fall.

        The mirror stands at the boundary of the loss, 0 where it has none. So E gets G's loss in each game: the minimax
        game to the letter, its labels exchanged in the non-saturating one (Donahue et al. 2017, section 3.4), and the
        linear terms of the hinge game, which D's own clipped ones would leave without a gradient beyond the margin
        (BigBiGAN: Donahue and Simonyan 2019, section 2). A loss that compares the two has both in it already.
        """
        real_logits, fake_logits = _rows(real_logits), _rows(fake_logits)
        if self.loss.uses_real:
            return self.loss.generator(fake_logits, real_logits)
        return self.loss.generator(fake_logits) + self.loss.generator(2 * (self.loss.boundary or 0.0) - real_logits)

    def evaluate(self, real_logits: Tensor, fake_logits: Tensor) -> dict[str, Tensor]:
        """Both players' losses without penalties and D's accuracies, from logits of as many fakes or a multiple.

        `d_accuracy_real` and `d_accuracy_fake` lie in [0, 1], are 1/2 on average for a D that guesses, and are left out
        where the loss has no decision boundary.
        """
        reals, fakes = _paired(_rows(real_logits), _rows(fake_logits)), _rows(fake_logits)
        terms = {"d_loss": self.loss.discriminator(reals, fakes), "g_loss": self.loss.generator(fakes, reals)}
        if (boundary := self.loss.boundary) is not None:
            terms["d_accuracy_real"] = (reals > boundary).float().mean()
            terms["d_accuracy_fake"] = (fakes <= boundary).float().mean()
        return terms


def _paired(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Repeat the real logits (B, 1) until there are as many as fake ones: a loss may compare them one by one."""
    return real_logits.repeat(len(fake_logits) // len(real_logits), 1)


def _rows(logits: Tensor) -> Tensor:
    """Logits (B, 1), or of patches (B, 1, h, w), as (rows, 1) in float32; each patch of an image is a row."""
    if logits.shape[1:2] != (1,):
        shape = tuple(logits.shape)
        raise UsageError(f"A discriminator maps a batch to logits (B, 1), and this one gives the shape {shape}.")
    return logits.float().flatten().unsqueeze(1)


def _logits(critic: Critic, real: Batch, fake: Batch) -> tuple[Tensor, Tensor]:
    """The logits (rows, 1) of reals and fakes, equally many."""
    real_logits, fake_logits = _rows(critic(*as_tuple(real))), _rows(critic(*as_tuple(fake)))
    return _paired(real_logits, fake_logits), fake_logits
