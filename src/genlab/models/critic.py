"""What stands between an objective and a discriminator."""

import logging

from torch import Generator, Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrize import is_parametrized

from genlab.losses.objective import Objective
from genlab.protocols import Augmentation

log = logging.getLogger(__name__)


class AugmentedCritic:
    """D behind an augmentation that draws anew at each call, so that G's step and each penalty have draws of their own.

    The gradient that a penalty takes is that in the image before the augmentation (as in R3GAN's Trainer).
    """

    def __init__(self, discriminator: nn.Module, augment: Augmentation, noise: Generator | None) -> None:
        self.discriminator, self.augment, self.noise = discriminator, augment, noise

    def __call__(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W) to logits (B, 1)."""
        return self.discriminator(self.augment(images, self.noise))

    def forward(self, images: Tensor) -> Tensor:
        """The same without what `torch.compile` has made of D."""
        return self.discriminator.forward(self.augment(images, self.noise))


def check_critic(networks: list[nn.Module], objective: Objective) -> None:
    """Warn of a D that an objective is not meant for.

    That is one that mixes the images of a batch under a penalty on single gradients, and one whose slope nothing
    bounds under a loss that takes it for bounded.
    """
    modules = [module for network in networks for module in network.modules()]
    mixes = any(isinstance(module, _BatchNorm) for module in modules)
    for name, penalty in objective.penalties.items():
        if mixes and getattr(penalty, "forbids_batch_norm", False):
            log.warning(
                "model.objective.penalties.%s penalises the gradient at each image, and the discriminator has batch "
                "normalisation, which mixes them: the paper forbids it. Choose another norm for it.",
                name,
            )
    bounded = objective.penalties or any(map(is_parametrized, modules))
    if getattr(objective.loss, "needs_bounded_slope", False) and not bounded:
        log.warning(
            "Nothing bounds the slope of the discriminator, and a Wasserstein loss takes it for bounded: type "
            "model/objective=wgan_gp, or give the discriminator spectral_norm=true."
        )
