"""The lecture's claims, each with its experiment and a verdict: a file for each, or for two that share their runs."""

from genlab.lecture.adversary import AdversarialTraining, Sharpness
from genlab.lecture.claim import Claim, Evidence
from genlab.lecture.codes import Codes
from genlab.lecture.elbo import ELBO
from genlab.lecture.game import Game
from genlab.lecture.gradients import Gradients
from genlab.lecture.inverse import NotTheInverse
from genlab.lecture.parsimony import Parsimony
from genlab.lecture.pooling import Pooling
from genlab.lecture.runs import Runs
from genlab.lecture.sigma import Sigma
from genlab.lecture.toeplitz import Toeplitz

__all__ = [
    "ELBO",
    "AdversarialTraining",
    "Claim",
    "Codes",
    "Evidence",
    "Game",
    "Gradients",
    "NotTheInverse",
    "Parsimony",
    "Pooling",
    "Runs",
    "Sharpness",
    "Sigma",
    "Toeplitz",
]
