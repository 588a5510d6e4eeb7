"""Maps between shapes: parameters and `forward`, nothing else."""

from genlab.networks.conv import ConvDown, ConvUp
from genlab.networks.layers import DrawnBatchNorm, Patches
from genlab.networks.lookup_free import FSQ, LFQ
from genlab.networks.mlp import MLP
from genlab.networks.patch import PatchDown
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
from genlab.networks.spatial import SpatialDown, SpatialUp
from genlab.networks.vq import VQ

__all__ = [
    "FSQ",
    "LFQ",
    "MLP",
    "VQ",
    "AveragePooling",
    "AverageUnpooling",
    "ConvDown",
    "ConvUp",
    "DrawnBatchNorm",
    "MaxPooling",
    "MaxUnpooling",
    "MeanPool",
    "PatchDown",
    "Patches",
    "PoolingDown",
    "PoolingUp",
    "R3Down",
    "R3Up",
    "ResNetDown",
    "ResNetUp",
    "SpatialDown",
    "SpatialUp",
    "SumPool",
]
