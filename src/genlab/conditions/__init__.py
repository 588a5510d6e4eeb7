"""What a conditional model is told of an image: its class, its attributes, or numbers that belong to it."""

from genlab.conditions.classes import Classes
from genlab.conditions.columns import Attributes, Values
from genlab.conditions.condition import Condition

__all__ = ["Attributes", "Classes", "Condition", "Values"]
