"""Formulas on tensors and the encoders that feed them."""

from genlab.metrics.features import EfficientNetLite0, Inception
from genlab.metrics.frechet import frechet_distance

__all__ = ["EfficientNetLite0", "Inception", "frechet_distance"]
