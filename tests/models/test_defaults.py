"""What a call or a configuration of an earlier version leaves out has the value that it always had."""

import inspect

import pytest

from genlab import losses, metrics, models, networks
from genlab.models.adversarial import AdversarialModel
from genlab.models.base import ImageModel

R3 = {"width": 16, "max_width": 512, "depth": 1, "group_size": 16, "expansion": 2, "negative_slope": 0.2}
SPATIAL = {"width": 16, "max_width": 128, "depth": 1, "attention": True, "gradient_checkpointing": False}
STRIDED = {"width": 32, "max_width": 512}

DEFAULTS = [
    (networks.MLP, {"width": 512, "depth": 2, "spectral_norm": False}),
    (networks.ConvDown, STRIDED | {"spectral_norm": False}),
    (networks.ConvUp, STRIDED),
    (networks.PoolingDown, STRIDED | {"spectral_norm": False}),
    (networks.PoolingUp, STRIDED),
    (networks.ResNetDown, STRIDED | {"depth": 1, "spectral_norm": False}),
    (networks.ResNetUp, {"width": 16, "max_width": 512, "depth": 1}),
    (networks.R3Down, R3 | {"spectral_norm": False}),
    (networks.R3Up, R3),
    (networks.SpatialDown, SPATIAL | {"spectral_norm": False}),
    (networks.SpatialUp, SPATIAL),
    (ImageModel, {"compile": False, "channels_last": False, "condition_drop": 0.0}),
    (AdversarialModel, {"d_steps": 1, "accumulate": 1}),
    (models.AE, {"corruption": 0.0}),
    (models.VAE, {"beta": 1.0, "free_bits": 0.0, "warm_up": 0}),
    (models.IWAE, {"n_importance": 5}),
    (models.WAE, {"mmd_weight": 100.0}),
    (models.AEGAN, {"adversarial_weight": 10.0}),
    (models.VAEGAN, {"gamma": 0.01}),
    (models.BiGAN, {"n_features": 128}),
    (losses.R1, {"every": 1}),
    (losses.R2, {"every": 1}),
    (losses.OneCentered, {"every": 1}),
    (losses.DRAGAN, {"noise": 0.5, "every": 1}),
    (losses.Objective, {"spectral_norm": False}),
    (losses.Colour, {"brightness": 0.5, "saturation": 1.0, "contrast": 0.5}),
    (losses.Translation, {"ratio": 0.125}),
    (losses.Cutout, {"ratio": 0.5}),
    (metrics.active_units, {"threshold": 0.01}),
    (metrics.inception_score, {"n_splits": 10, "seed": 2020}),
    (metrics.kernel_distance, {"n_subsets": 100, "subset_size": 1000, "seed": 0}),
    (metrics.manifold_metrics, {"k": 3, "k_density": 5}),
    (metrics.nearest, {"exclude_self": False}),
]


@pytest.mark.parametrize(("made", "expected"), DEFAULTS, ids=lambda value: getattr(value, "__name__", ""))
def test_numbers_and_switches_have_the_defaults_that_were_published(made, expected):
    parameters = inspect.signature(made).parameters.values()
    assert {p.name: p.default for p in parameters if isinstance(p.default, bool | int | float)} == expected
