"""What is minimised: formulas with their coefficients. They know no network, optimiser or counter."""

from genlab.losses.ada import ADA
from genlab.losses.adversarial import Hinge, LeastSquares, Minimax, NonSaturating, RelativisticPairing, Wasserstein
from genlab.losses.augment import Colour, Cutout, DiffAugment, Translation
from genlab.losses.divergence import free_bits, kl_per_entry, kl_to_standard_normal, mmd, warm_up
from genlab.losses.drifting import Drift
from genlab.losses.likelihood import Bernoulli, Gaussian, Laplace, LearnedGaussian, OptimalGaussian
from genlab.losses.objective import Objective
from genlab.losses.penalties import DRAGAN, R1, R2, OneCentered

__all__ = [
    "ADA",
    "DRAGAN",
    "R1",
    "R2",
    "Bernoulli",
    "Colour",
    "Cutout",
    "DiffAugment",
    "Drift",
    "Gaussian",
    "Hinge",
    "Laplace",
    "LearnedGaussian",
    "LeastSquares",
    "Minimax",
    "NonSaturating",
    "Objective",
    "OneCentered",
    "OptimalGaussian",
    "RelativisticPairing",
    "Translation",
    "Wasserstein",
    "free_bits",
    "kl_per_entry",
    "kl_to_standard_normal",
    "mmd",
    "warm_up",
]
