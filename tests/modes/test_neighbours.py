"""Samples beside the training images that are nearest to them."""

from pathlib import Path

import pytest
import torch
from brightness import Brightness
from settings import config
from toy import Toy

from genlab.config.build import build
from genlab.images import to_float
from genlab.modes import Neighbours
from genlab.protocols import LoadedRun

ROWS = [5, 17]


@pytest.fixture(scope="module")
def data():
    return build(config("data.size=8", "data.limit=40").data)


def neighbours_of(change, data, **options):
    """Of two training images, changed."""
    images = data.images("train")
    model = Toy(lambda z: to_float(change(images[z[:, 0].long()])), prior=torch.tensor(ROWS)[:, None].float())
    return Neighbours(Brightness(), n=2, **options)(LoadedRun(model, data, {}, Path()), torch.Generator())


def test_a_copied_training_image_is_its_own_nearest_at_distance_0_by_pixels_and_by_features(data):
    sheet = neighbours_of(lambda images: images, data, k=3)
    for kind, distances in (("by_pixels", "errors"), ("by_features", "distances")):
        assert sheet.arrays[kind][:, 0].tolist() == ROWS
        assert sheet.arrays[distances][:, 0].tolist() == [0, 0]
        assert (sheet.arrays[distances][:, 1] > 0).all()
    shown = sheet.images.unflatten(0, (2, 7))  # a sample, three by pixels, three by features
    for copy in (shown[:, 1], shown[:, 4]):
        assert torch.equal(copy, shown[:, 0])
    assert sheet.captions[:2] == ["", "0.0"]


def test_the_error_is_in_grey_levels(data):
    """All 64 pixels are moved by three levels: the root of the mean of 9 is 3."""
    images = data.images("train")[ROWS].short()
    images = torch.where(images < 128, images + 3, images - 3).to(torch.uint8)
    sheet = neighbours_of(lambda _: images, data, k=1)
    assert sheet.arrays["by_pixels"][:, 0].tolist() == ROWS
    assert sheet.arrays["errors"][:, 0].tolist() == [3, 3]


def test_features_of_training_images_are_kept_where_evaluation_finds_them(data, tmp_path):
    for _ in range(2):
        sheet = neighbours_of(lambda images: images, data, cache_dir=str(tmp_path))
    assert sheet.arrays["by_features"][:, 0].tolist() == ROWS
    assert len(list(tmp_path.glob("brightness_*_features.npy"))) == 1
