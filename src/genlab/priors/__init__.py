"""Densities that are fitted to the codes of a trained model, to draw codes from."""

from genlab.priors.autoregressive import Autoregressive
from genlab.priors.density import Density
from genlab.priors.flow import Flow
from genlab.priors.gaussian import Gaussian
from genlab.priors.mixture import Mixture

__all__ = ["Autoregressive", "Density", "Flow", "Gaussian", "Mixture"]
