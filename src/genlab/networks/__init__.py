"""Maps between shapes: parameters and `forward`, nothing else."""

from genlab.networks.conv import ConvDown, ConvUp
from genlab.networks.mlp import MLP
from genlab.networks.pooling import PoolingDown, PoolingUp
from genlab.networks.pools import AveragePooling, AverageUnpooling, MaxPooling, MaxUnpooling
from genlab.networks.r3 import R3Down, R3Up
from genlab.networks.resnet import ResNetDown, ResNetUp
from genlab.networks.resnet_blocks import MeanPool, SumPool

__all__ = [
    "MLP",
    "AveragePooling",
    "AverageUnpooling",
    "ConvDown",
    "ConvUp",
    "MaxPooling",
    "MaxUnpooling",
    "MeanPool",
    "PoolingDown",
    "PoolingUp",
    "R3Down",
    "R3Up",
    "ResNetDown",
    "ResNetUp",
    "SumPool",
]
