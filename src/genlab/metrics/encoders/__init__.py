"""Feature encoders: fixed networks that describe images by vectors, from uint8 images, real and fake alike."""

from genlab.metrics.encoders.efficientnet import EfficientNetLite0, EfficientNetLite2
from genlab.metrics.encoders.fidelity import CLIP, VGG16, DINOv2, Inception

__all__ = ["CLIP", "VGG16", "DINOv2", "EfficientNetLite0", "EfficientNetLite2", "Inception"]
