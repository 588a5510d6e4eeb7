"""Maps between shapes: parameters and `forward`, nothing else."""

from genlab.networks.conv import ConvDown, ConvUp
from genlab.networks.mlp import MLP

__all__ = ["MLP", "ConvDown", "ConvUp"]
