"""Formulas on tensors and the encoders that feed them."""

from genlab.metrics.encoders import CLIP, VGG16, DINOv2, EfficientNetLite0, Inception
from genlab.metrics.frechet import frechet_distance

__all__ = ["CLIP", "VGG16", "DINOv2", "EfficientNetLite0", "Inception", "frechet_distance"]
