"""Formulas on tensors, and feature encoders. Heavy libraries are imported where they are needed."""

from genlab.metrics.codes import active_units, codebook_use
from genlab.metrics.diversity import class_shares, feature_diversity, total_variation
from genlab.metrics.encoders import CLIP, VGG16, DINOv2, EfficientNetLite0, EfficientNetLite2, Inception
from genlab.metrics.frechet import frechet_distance, frechet_distance_of_few
from genlab.metrics.inception_score import inception_score
from genlab.metrics.inversion import invert
from genlab.metrics.kernel import kernel_distance
from genlab.metrics.likelihood import bits_per_dimension, importance_weighted_bound
from genlab.metrics.lpips import LPIPS
from genlab.metrics.neighbours import ManifoldMetrics, manifold_metrics, memorisation, nearest, nearest_few
from genlab.metrics.perceptual import PerceptualDistance
from genlab.metrics.reconstruction import ReconstructionErrors, reconstruction_errors
from genlab.metrics.sharpness import high_frequency_energy

__all__ = [
    "CLIP",
    "LPIPS",
    "VGG16",
    "DINOv2",
    "EfficientNetLite0",
    "EfficientNetLite2",
    "Inception",
    "ManifoldMetrics",
    "PerceptualDistance",
    "ReconstructionErrors",
    "active_units",
    "bits_per_dimension",
    "class_shares",
    "codebook_use",
    "feature_diversity",
    "frechet_distance",
    "frechet_distance_of_few",
    "high_frequency_energy",
    "importance_weighted_bound",
    "inception_score",
    "invert",
    "kernel_distance",
    "manifold_metrics",
    "memorisation",
    "nearest",
    "nearest_few",
    "reconstruction_errors",
    "total_variation",
]
