"""The two-player game. Discriminators return logits; D(x) in the papers is sigmoid(logit).

An adversarial loss knows no network and works on logits of any shape, so it serves on images and on codes alike.
Both methods return a scalar that its player minimises, in nats.
"""

from torch import Tensor
from torch.nn.functional import softplus


class Minimax:
    """The game to the letter: min_G max_D E[log D(x)] + E[log(1 - D(G(z)))] (Goodfellow et al. 2014, eq. 1)."""

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """-E[log D(x)] - E[log(1 - D(G(z)))]; log 4 where D is undecided (logits 0)."""
        return softplus(-real_logits).mean() + softplus(fake_logits).mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        """E[log(1 - D(G(z)))]; its gradient vanishes where D is sure that a sample is fake."""
        return -softplus(fake_logits).mean()


class NonSaturating(Minimax):
    """The same D, but G maximises log D(G(z)): the same fixed point, with gradients early on (section 3 there)."""

    def generator(self, fake_logits: Tensor) -> Tensor:
        """-E[log D(G(z))]."""
        return softplus(-fake_logits).mean()
