"""Data sets: a source each, one DataModule for all."""

from genlab.data.datamodule import ImageDataModule
from genlab.data.digits import Digits
from genlab.data.shapes import Shapes

__all__ = ["Digits", "ImageDataModule", "Shapes"]
