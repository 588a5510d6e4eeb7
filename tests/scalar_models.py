"""Models of scalar networks, whose steps can be derived by hand.

All networks are multiplications, and each player descends with a step of 1: a weight w becomes w - dloss/dw.
"""

from functools import partial

import torch
from lightning.pytorch import Trainer
from torch import nn
from torch.utils.data import DataLoader

from genlab.losses import Objective, Wasserstein

SHAPE = (1, 1, 1)


class Line(nn.Module):
    """The scalar product of an input with the weights."""

    def __init__(self, weights, out_shape):
        super().__init__()
        self.weight, self.out_shape = nn.Parameter(torch.tensor(weights)), out_shape

    def forward(self, x):
        return (x.flatten(1) * self.weight).sum(1).view(-1, *self.out_shape)


class Posterior(nn.Module):
    """The mean is a multiple of the image, the log variance a number."""

    def __init__(self, slope, logvar):
        super().__init__()
        self.slope, self.logvar = nn.Parameter(torch.tensor(slope)), nn.Parameter(torch.tensor(logvar))

    def forward(self, x):
        mean = self.slope * x.flatten(1)
        return torch.cat([mean, self.logvar.expand_as(mean)], dim=1)


class TwoStages(nn.Module):
    """A D whose feature is a multiple of the image, and whose logit is a multiple of the feature."""

    def __init__(self, a, b):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(a)), nn.Parameter(torch.tensor(b))

    def features(self, x):
        return self.a * x.flatten(1)

    def forward(self, x):
        return self.b * self.features(x)


def line(*weights):
    return lambda in_shape, out_shape: Line(weights, out_shape)


def images(x):
    """Images of one pixel each."""
    return torch.tensor(x).view(-1, *SHAPE)


def made(make, prior, **options):
    """Make a model with codes that are given by their numbers."""
    model = make(SHAPE, 1, optimizer=partial(torch.optim.SGD, lr=1.0), **options)
    model.prior = lambda n, generator=None: torch.tensor(prior).view(-1, 1)
    return model


def loader(*batches):
    """Batches of images that are given by their numbers."""
    return DataLoader([(images(x), torch.zeros(len(x))) for x in batches], batch_size=None)


def trainer(**options):
    """A quiet one, for a step."""
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "limit_val_batches": 0}
    return Trainer(**({"accelerator": "cpu", "max_steps": 1, "enable_model_summary": False} | quiet | options))


def fitted(model, *batches, **options):
    """The model after a step on each batch of images that are given by their numbers."""
    trainer(max_steps=len(batches), **options).fit(model, loader(*batches), loader(*batches))
    return model


def updated(make, x, prior, loss=None, penalties=None, **options):
    """Make an adversarial model, by default with a difference of logits as its loss, and one update of it."""
    return fitted(made(make, prior, objective=Objective(loss or Wasserstein(), penalties), **options), x)


def weight(network):
    return network.weight.tolist()
