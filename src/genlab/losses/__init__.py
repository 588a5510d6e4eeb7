"""What is minimised: formulas with their coefficients. They know no network, optimiser or counter."""

from genlab.losses.adversarial import Minimax, NonSaturating
from genlab.losses.divergence import kl_to_standard_normal
from genlab.losses.likelihood import Gaussian

__all__ = ["Gaussian", "Minimax", "NonSaturating", "kl_to_standard_normal"]
