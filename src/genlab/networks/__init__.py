"""Maps between shapes: parameters and `forward`, nothing else."""

from genlab.networks.conv import ConvDown, ConvUp
from genlab.networks.mlp import MLP
from genlab.networks.pooling import (
    AveragePooling,
    AverageUnpooling,
    MaxPooling,
    MaxUnpooling,
    PoolingDown,
    PoolingUp,
)
from genlab.networks.r3 import R3Down, R3Up
from genlab.networks.resnet import MeanPool, ResNetDown, ResNetUp, SumPool

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
