"""What configurations use beside Hydra's own. Hydra imports this at every start, so it imports nothing heavy."""

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

# In a defaults list, `/any_argument@_here_` lets any key of the node be set without a plus. What the node's class does
# not take is refused when the values are checked: `genlab.config.arguments`.
ConfigStore.instance().store(name="any_argument", node=OmegaConf.create({}, flags={"struct": False}), provider="genlab")


def flat(n: int, *, _parent_: DictConfig) -> int | None:
    """The length of a code that is a vector: n, unless the model is given a shape of codes. A resolver."""
    return n if _parent_.get("latent_shape") is None and _parent_.get("downsample") is None else None


def maps(n: int, *, _parent_: DictConfig) -> int | None:
    """How much shorter the sides of a code of maps are: n, unless the model is given another shape. A resolver."""
    return n if _parent_.get("latent_dim") is None and _parent_.get("latent_shape") is None else None


OmegaConf.register_new_resolver("flat", flat, replace=True)
OmegaConf.register_new_resolver("maps", maps, replace=True)
