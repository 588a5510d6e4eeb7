"""Data sets: a source each, one DataModule for all."""

from genlab.data.binary_mnist import BinaryMNIST
from genlab.data.celeba import CelebA
from genlab.data.datamodule import ImageDataModule
from genlab.data.digits import Digits
from genlab.data.folder import Folder
from genlab.data.hub import HuggingFace
from genlab.data.official import Torchvision
from genlab.data.shapes import Shapes

__all__ = ["BinaryMNIST", "CelebA", "Digits", "Folder", "HuggingFace", "ImageDataModule", "Shapes", "Torchvision"]
