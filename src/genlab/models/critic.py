"""What a discriminator must not have beside an objective, and what it needs."""

import logging
from collections.abc import Iterable

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrize import is_parametrized

from genlab.losses.objective import Objective

log = logging.getLogger(__name__)


def warn_of_critic(objective: Objective, networks: Iterable[nn.Module]) -> None:
    """Warn of batch normalisation under a penalty per image, and of a Wasserstein critic that nothing bounds.

    Args:
        objective: what D minimises.
        networks: those of D.
    """
    modules = [module for network in networks for module in network.modules()]
    mixes = any(isinstance(module, _BatchNorm) for module in modules)
    for name, penalty in objective.penalties.items():
        if mixes and getattr(penalty, "forbids_batch_norm", False):
            log.warning(
                "model.objective.penalties.%s penalises the gradient at each image, and the discriminator has "
                "batch normalisation, which mixes them: the paper forbids it. Choose another norm for it.",
                name,
            )
    bounded = objective.penalties or any(map(is_parametrized, modules))
    if getattr(objective.loss, "needs_bounded_slope", False) and not bounded:
        log.warning(
            "Nothing bounds the slope of the discriminator, and a Wasserstein loss takes it for bounded: type "
            "model/objective=wgan_gp, or give the discriminator spectral_norm=true."
        )
