"""Named settings: each composes, and builds its model and its data module."""

import pytest
from settings import config, options

from genlab.runs.build import build


@pytest.mark.parametrize("name", options("experiment"))
def test_every_experiment_builds_what_it_names(name):
    cfg = config(f"experiment={name}")
    model, data = build(cfg.model), build(cfg.data)
    assert model.image_shape == data.image_shape
    callbacks = [build(node) for node in cfg.callbacks.values() if "frechet" not in node["_target_"].lower()]
    assert callbacks
    if "celeba" in name:
        assert (cfg.data.crop, model.image_shape) == (148, (3, 64, 64))


@pytest.mark.parametrize("name", [name for name in options("experiment") if not name.startswith(("digits", "lecture"))])
def test_every_published_setting_is_scored_as_its_source_was(name):
    cfg = config(f"experiment={name}")
    if "mnist" not in name:
        assert cfg.features["_target_"].endswith("Inception")
    if "cifar10" in name:
        assert (cfg.callbacks.frechet.n_samples, cfg.callbacks.frechet.reference) == (50_000, "train")
        assert cfg.data.val_share == 0  # all 50,000 training images are the reference
