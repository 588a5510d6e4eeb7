"""Evaluation of trained models and of folders of images: measures, each applied to one subject at a time."""

from genlab.evaluation.applicable import NotApplicable
from genlab.evaluation.held_out import Codes, Likelihood, Losses, Reconstruction
from genlab.evaluation.measure import Evaluation, measured
from genlab.evaluation.memorisation import Classes, Diversity, Memorisation
from genlab.evaluation.samples import Frechet, InceptionScore, Kernel, Manifold, Sharpness
from genlab.evaluation.subject import Subject

__all__ = [
    "Classes",
    "Codes",
    "Diversity",
    "Evaluation",
    "Frechet",
    "InceptionScore",
    "Kernel",
    "Likelihood",
    "Losses",
    "Manifold",
    "Memorisation",
    "NotApplicable",
    "Reconstruction",
    "Sharpness",
    "Subject",
    "measured",
]
