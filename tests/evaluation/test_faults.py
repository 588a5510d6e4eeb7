"""Real digits with faults: each metric that should react does, and those that should not don't."""

import pytest
import torch
from settings import config
from torch.nn import functional as F

from genlab.config.build import build
from genlab.evaluation import (
    Classes,
    Diversity,
    Frechet,
    Kernel,
    Manifold,
    Memorisation,
    Sharpness,
    Subject,
    apply_measures,
)
from genlab.metrics import EfficientNetLite0

pytestmark = pytest.mark.slow

N = 400


@pytest.fixture(scope="module")
def values():
    """Each metric by fault and name: held-out digits as they are, and spoilt in one way each."""
    data = build(config("data.limit=1000").data)
    train, real = data.images("train"), data.images("test")[:N]
    labels = data.labels("test")[:N]
    noise = torch.randn(real.shape, generator=torch.Generator().manual_seed(0))
    few = real[labels < 5]
    sets = {
        "none": real,
        "noise": (real + 25 * noise).round().clamp(0, 255).to(torch.uint8),
        "blur": F.avg_pool2d(real.float(), 3, stride=1, padding=1).round().to(torch.uint8),
        "dropped classes": few[torch.arange(N) % len(few)],
        "copies": train[:N],
        "one image": real[:1].repeat(N, 1, 1, 1),
    }
    encoder = EfficientNetLite0()
    measures = {m.__name__: m() for m in (Frechet, Kernel, Manifold, Sharpness, Diversity, Memorisation, Classes)}
    shared = Subject("", lambda rows: real[rows], N, data, encoder, torch.device("cpu"), None)
    found = {}
    for fault, images in sets.items():
        subject = Subject(fault, lambda rows, images=images: images[rows], N, data, encoder, torch.device("cpu"), None)
        vars(subject).update(reals=shared.reals, held_out=shared.held_out)  # described once for all
        found[fault] = {name: m.value for name, m in apply_measures(subject, measures).measurements.items()}
    return found


def column(values, metric, *faults):
    return [values[fault][metric] for fault in faults]


@pytest.mark.parametrize("metric", ["fd_efficientnet_lite0", "kd_efficientnet_lite0"])
def test_distances_are_small_for_new_digits_and_grow_with_the_fault(values, metric):
    none, dropped, blur, noise = column(values, metric, "none", "dropped classes", "blur", "noise")
    assert none < dropped < blur < noise
    assert dropped > 2 * none


def test_sharpness_sees_blur_and_noise_and_nothing_else(values):
    none, copies, dropped, blur, noise = column(
        values, "sharpness_samples", "none", "copies", "dropped classes", "blur", "noise"
    )
    for like_the_data in (none, copies, dropped):
        assert like_the_data == pytest.approx(1, abs=0.15)
    assert blur < 0.4
    assert noise > 1.2


def test_precision_and_density_see_what_is_no_digit_and_not_what_is_missing(values):
    for metric in ("precision", "density"):
        none, dropped, blur, noise = column(values, metric, "none", "dropped classes", "blur", "noise")
        assert max(blur, noise) < 0.7 * none
        assert dropped > 0.9 * none


def test_recall_and_coverage_see_what_is_missing(values):
    for metric in ("recall", "coverage"):
        none, dropped, one = column(values, metric, "none", "dropped classes", "one image")
        assert one < 0.05
        assert one < dropped < 0.85 * none


def test_copies_of_training_images_are_found_out_by_memorisation_alone(values):
    none, copies, noise = column(values, "memorisation", "none", "copies", "noise")
    assert none == pytest.approx(0.5, abs=0.05)
    assert copies > 0.99
    assert noise < 0.1
    assert values["copies"]["precision"] >= values["none"]["precision"]
    assert values["copies"]["fd_efficientnet_lite0"] < values["none"]["fd_efficientnet_lite0"] * 1.5


def test_dropped_classes_show_in_the_histogram(values):
    none, dropped, one = column(values, "class_total_variation", "none", "dropped classes", "one image")
    assert none < 0.15
    assert 0.35 < dropped < 0.55  # half of the classes, as far as nearest neighbours tell them
    assert one == pytest.approx(0.9, abs=0.05)


def test_diversity_is_that_of_the_data_but_for_one_image(values):
    none, copies, one = column(values, "diversity", "none", "copies", "one image")
    assert none == pytest.approx(1, abs=0.1)
    assert copies == pytest.approx(1, abs=0.1)
    assert one == pytest.approx(0, abs=1e-6)


def test_every_value_says_how_many_images_took_part():
    data = build(config("data.limit=40").data)
    subject = Subject(
        "none", lambda rows: data.images("val")[rows], 30, data, EfficientNetLite0(), torch.device("cpu"), None
    )
    for metric, measurement in apply_measures(
        subject, {"manifold": Manifold(), "frechet": Frechet()}
    ).measurements.items():
        n_real = 40 if metric.startswith("fd") else 30
        assert (measurement.stamp.n_real, measurement.stamp.n_fake) == (n_real, 30)
