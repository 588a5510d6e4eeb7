"""Measures of samples where they end: with classes, without, with few images."""

import pytest
import torch
from brightness import Brightness
from settings import config

from genlab.config.build import build
from genlab.evaluation import (
    Classes,
    Diversity,
    Frechet,
    InceptionScore,
    Kernel,
    Manifold,
    NotApplicable,
    Reconstruction,
    SecondOpinion,
    Sharpness,
    Subject,
    apply_measures,
)
from genlab.evaluation.samples import kernel_name


class Classifier(Brightness):
    """Is sure of the class of each image: that of its first pixel."""

    def with_logits(self, images):
        return self(images), 100.0 * torch.nn.functional.one_hot(images[:, 0, 0, 0].long(), 4).float()


@pytest.fixture(scope="module")
def data():
    return build(config("data.limit=40", "data.size=8").data)


def subject(samples, data, encoder=None):
    return Subject(
        "it", lambda rows: samples[rows], len(samples), data, encoder or Brightness(), torch.device("cpu"), None
    )


def images(*first_pixels):
    samples = torch.zeros(len(first_pixels), 1, 8, 8, dtype=torch.uint8)
    samples[:, 0, 0, 0] = torch.tensor(first_pixels)
    return samples


def test_the_inception_score_counts_the_classes_among_sure_samples(data):
    for samples, classes in ((images(0, 1, 2, 3), 4), (images(0, 1, 0, 1), 2), (images(2, 2, 2, 2), 1)):
        found = apply_measures(subject(samples, data, Classifier()), {"": InceptionScore(n_splits=1)}).measurements
        assert found["inception_score"].value == pytest.approx(classes, rel=1e-3)


def test_the_inception_score_knows_no_real_images(data):
    found = apply_measures(subject(images(0, 1, 2, 3), data, Classifier()), {"": InceptionScore(n_splits=1)})
    stamp = found.measurements["inception_score"].stamp
    assert (stamp.split, stamp.images, stamp.n_real, stamp.n_fake) == (None, None, None, 4)
    assert stamp.encoder == "brightness"


def test_an_encoder_without_classes_has_no_inception_score(data):
    with pytest.raises(NotApplicable, match="features=inception"):
        list(InceptionScore()(subject(images(0, 1), data)))


def test_too_few_images_have_no_neighbours(data):
    with pytest.raises(NotApplicable, match="6 samples or more are needed, and there are 4"):
        list(Manifold()(subject(images(0, 1, 2, 3), data)))


def test_the_kernel_distance_takes_subsets_of_what_there_is(data):
    (found,) = Kernel(n_subsets=2)(subject(data.images("val"), data))
    assert found.stamp.settings is not None
    assert found.stamp.settings.startswith("2 subsets of 40")
    assert found.spread == pytest.approx(0, abs=1e-3)


def test_images_without_classes_have_no_histogram():
    shapes = build(config("data=shapes", "data.limit=40", "data.size=8").data)
    shapes.setup()
    shapes.splits["train"] = shapes.splits["train"]._replace(labels=torch.zeros(40, 3))
    with pytest.raises(NotApplicable, match="train images of shapes have no classes"):
        list(Classes()(subject(images(0, 1), shapes)))


def test_images_without_a_label_are_of_no_class():
    data = build(config("data.limit=40", "data.size=8").data)
    images, labels = data.images("train"), data.labels("train").clone()
    labels[:2] = -1
    data.splits["train"] = data.splits["train"]._replace(labels=labels)
    (found,) = Classes()(subject(images[:10], data))
    assert found.stamp.n_fake == 8  # each is nearest to itself
    assert sum(found.entries) == pytest.approx(1)
    assert "of a held-out one" in found.note
    with pytest.raises(NotApplicable, match="no sample of it lies next to an image with a class"):
        list(Classes()(subject(images[:2], data)))
    data.splits["train"] = data.splits["train"]._replace(labels=torch.full((40,), -1))
    with pytest.raises(NotApplicable, match="digits have no classes, or one"):
        list(Classes()(subject(images[:10], data)))


@pytest.mark.parametrize(("metric", "name"), [("fid", "kid"), ("fd_dinov2", "kd_dinov2"), ("fd_fd_x", "kd_fd_x")])
def test_the_kernel_distance_is_called_kid_in_inception_s_features_alone(metric, name):
    assert kernel_name(metric) == name


def test_reconstructions_of_black_and_white_images_are_held_against_the_very_images_they_are_of():
    data = build(config("data.limit=20", "data.binarize=dynamic").data)
    found = subject(data.images("val"), data)
    found.model, found.batch_size = Copies(), 7
    assert set(data.images("test")[:].unique().tolist()) == {0, 255}
    measured_on = apply_measures(found, {"": Reconstruction()}).measurements
    assert measured_on["reconstruction_fd_brightness"].value == pytest.approx(0, abs=1e-6)
    assert measured_on["reconstruction_mse"].value == 0
    assert measured_on["reconstruction_psnr"].value < float("inf")
    assert measured_on["reconstruction_fd_brightness"].stamp.generated == "mean"


class Copies:
    """Reconstructs every image as it is."""

    weights_in_use = "raw"

    def encode(self, x):
        return x.flatten(1)

    def reconstruct(self, x):
        return x


def test_flat_images_are_no_measure_of_sharpness_or_diversity():
    flat = build(config("data.limit=20").data)
    flat.setup()
    flat.splits["train"] = flat.splits["train"]._replace(images=torch.full((20, 1, 28, 28), 9, dtype=torch.uint8))
    samples = torch.zeros(3, 1, 28, 28, dtype=torch.uint8)
    found = apply_measures(subject(samples, flat), {"sharpness": Sharpness(), "diversity": Diversity()})
    assert found.measurements == {}
    assert found.not_applicable == {
        "sharpness_samples": "the train images have no fine detail to compare with",
        "diversity": "all train images look alike: nothing varies as they do",
    }


def test_more_splits_than_samples_have_no_inception_score(data):
    found = apply_measures(subject(images(0, 1, 2), data, Classifier()), {"score": InceptionScore(n_splits=10)})
    assert found.not_applicable == {"score": "10 samples or more are needed, and there are 3"}


def test_a_second_opinion_is_the_distance_in_the_features_of_its_encoder_whatever_that_of_the_scores_is(data):
    samples = images(0, 1, 2, 3, 3, 1)
    expected = next(Frechet()(subject(samples, data, Brightness())))
    found = next(SecondOpinion(Brightness())(subject(samples, data, Classifier())))
    assert found == expected
