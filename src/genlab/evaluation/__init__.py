"""Evaluation of trained models and of folders of images: measures, each applied to one subject at a time."""

from genlab.evaluation.held_out import Codes, Likelihood, Losses, Reconstruction
from genlab.evaluation.inversion import Inversion
from genlab.evaluation.labels import LabelAccuracy, PerLabel
from genlab.evaluation.measure import Evaluation, Measure, apply_measures
from genlab.evaluation.ratios import Diversity, Sharpness
from genlab.evaluation.samples import Classes, Frechet, InceptionScore, Kernel, Manifold, Memorisation
from genlab.evaluation.second_opinion import SecondOpinion
from genlab.evaluation.subject import NotApplicable, Subject

__all__ = [
    "Classes",
    "Codes",
    "Diversity",
    "Evaluation",
    "Frechet",
    "InceptionScore",
    "Inversion",
    "Kernel",
    "LabelAccuracy",
    "Likelihood",
    "Losses",
    "Manifold",
    "Measure",
    "Memorisation",
    "NotApplicable",
    "PerLabel",
    "Reconstruction",
    "SecondOpinion",
    "Sharpness",
    "Subject",
    "apply_measures",
]
