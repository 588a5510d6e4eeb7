"""The two-player game. Discriminators return logits; D(x) is sigmoid(logit) in the first paper, the logit in others.

An adversarial loss knows no network and works on logits of any shape, so it serves on images and on codes alike.
Both methods return a scalar that its player minimises: nats in the three games of log probabilities, else bare numbers.
`uses_real` says whether G's loss needs the logits of real samples too. `boundary` is the logit above which D calls a
sample real: the one that costs D least where it can't tell real from fake; None where only differences of logits count.
"""

from torch import Tensor
from torch.nn.functional import softplus

from genlab.errors import UsageError
from genlab.protocols import AdversarialLoss


class Minimax(AdversarialLoss):
    """The game to the letter: min_G max_D E[log D(x)] + E[log(1 - D(G(z)))] (Goodfellow et al. 2014, eq. 1)."""

    boundary: float | None = 0.0

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """-E[log D(x)] - E[log(1 - D(G(z)))]; log 4 where D is undecided (logits 0)."""
        return softplus(-real_logits).mean() + softplus(fake_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """E[log(1 - D(G(z)))]; its gradient vanishes where D is sure that a sample is fake."""
        return -softplus(fake_logits).mean()


class NonSaturating(Minimax):
    """The same D, but G maximises log D(G(z)): the same fixed point, with gradients early on (section 3 there)."""

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """-E[log D(G(z))]."""
        return softplus(-fake_logits).mean()


class LeastSquares(AdversarialLoss):
    """LSGAN (Mao et al. 2017, eq. 9): regression of logits on the labels 0 for fake (a) and 1 for real (b = c)."""

    boundary: float | None = 0.5

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """E[(D(x) - 1)^2] / 2 + E[D(G(z))^2] / 2; 1/4 where D is undecided (logits 1/2)."""
        return 0.5 * (real_logits - 1).square().mean() + 0.5 * fake_logits.square().mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """E[(D(G(z)) - 1)^2] / 2."""
        return 0.5 * (fake_logits - 1).square().mean()


class Wasserstein(AdversarialLoss):
    """WGAN (Arjovsky et al. 2017, eq. 2-3). D, the critic, must be kept Lipschitz by a penalty or by its layers."""

    needs_bounded_slope = True

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """E[D(G(z))] - E[D(x)]: minus the critic's estimate of the distance."""
        return fake_logits.mean() - real_logits.mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """-E[D(G(z))]."""
        return -fake_logits.mean()


class Hinge(Wasserstein):
    """The hinge game of spectrally normalised GANs (Lim and Ye 2017; Miyato et al. 2018, eq. 16-17)."""

    needs_bounded_slope = False
    boundary: float | None = 0.0

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]; 0 once real logits exceed 1 and fake ones fall below -1."""
        return (1 - real_logits).relu().mean() + (1 + fake_logits).relu().mean()


class RelativisticPairing(AdversarialLoss):
    """RpGAN: D tells which of two is real (Jolicoeur-Martineau 2019, section 4; R3GAN, Huang et al. 2024, eq. 2).

    Alone it need not converge; R3GAN adds R1 and R2.
    """

    uses_real = True

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """E[softplus(-(D(x) - D(G(z))))] over pairs of the same row; log 2 where D is undecided.

        Raises:
            UsageError: if there are not as many real logits as fake ones.
        """
        if real_logits.shape != fake_logits.shape:
            shapes = f"{tuple(real_logits.shape)} and {tuple(fake_logits.shape)}"
            raise UsageError(f"A relativistic loss pairs each real logit with a fake one, but the shapes are {shapes}.")
        return softplus(fake_logits - real_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """E[softplus(-(D(G(z)) - D(x)))]: the discriminator's loss with the roles exchanged."""
        if real_logits is None:
            raise UsageError("The generator of a relativistic loss needs the logits of real samples too.")
        return self.discriminator(fake_logits, real_logits)
