"""A configuration that takes keys it does not list. Hydra imports this at every start, so it imports nothing heavy."""

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

# In a defaults list, `/any_argument@_here_` lets any key of the node be set without a plus. What the node's class does
# not take is refused when the values are checked: `genlab.config.arguments`.
ConfigStore.instance().store(name="any_argument", node=OmegaConf.create({}, flags={"struct": False}), provider="genlab")
