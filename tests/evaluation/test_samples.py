"""Measures of samples where they end: with classes, without, with few images."""

import pytest
import torch
from brightness import Brightness
from settings import config

from genlab.evaluation import Classes, InceptionScore, Kernel, Manifold, NotApplicable, Subject, measured
from genlab.runs.build import build


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
        found = measured(subject(samples, data, Classifier()), {"": InceptionScore(n_splits=1)}).measurements
        assert found["inception_score"].value == pytest.approx(classes, rel=1e-3)


def test_the_inception_score_knows_no_real_images(data):
    found = measured(subject(images(0, 1, 2, 3), data, Classifier()), {"": InceptionScore(n_splits=1)})
    stamp = found.measurements["inception_score"].stamp
    assert (stamp.split, stamp.images, stamp.n_real, stamp.n_fake) == (None, None, None, 4)
    assert stamp.encoder == "brightness"


def test_an_encoder_without_classes_has_no_inception_score(data):
    with pytest.raises(NotApplicable, match="features=inception"):
        list(InceptionScore()(subject(images(0, 1), data)))


def test_too_few_images_have_no_neighbours(data):
    with pytest.raises(NotApplicable, match="looks at 5 neighbours, and there are 4 images"):
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
    with pytest.raises(NotApplicable, match="shapes have no classes"):
        list(Classes()(subject(images(0, 1), shapes)))
