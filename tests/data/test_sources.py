"""The data sets."""

import layouts
import pytest
import torch
from settings import config, options

from genlab.config.build import build
from genlab.data import Digits, Shapes
from genlab.data.shapes import render


def test_digits_are_split_with_as_many_of_each_class():
    splits = Digits()()
    counts = {name: torch.bincount(split.labels).tolist() for name, split in splits.items()}
    assert counts == {"train": [400] * 10, "val": [50] * 10, "test": [50] * 10}


def test_no_digit_is_in_two_splits_or_twice_in_one():
    splits = Digits()()
    rows = torch.cat([split.images.flatten(1) for split in splits.values()])
    assert len(rows.unique(dim=0)) == 5000


def test_the_split_of_the_digits_is_fixed():
    assert Digits()()["test"].labels[:12].tolist() == [4, 2, 5, 3, 2, 8, 3, 1, 6, 5, 5, 6]
    assert torch.equal(Digits()()["train"].images, Digits()()["train"].images)


def test_digits_at_another_size_and_in_colour_show_the_same_digits():
    small, large = Digits()()["val"], Digits()(size=32, channels=3)["val"]
    assert large.images.shape == (500, 3, 32, 32)
    assert torch.equal(small.labels, large.labels)
    difference = small.images.float().mean((1, 2, 3)) - large.images.float().mean((1, 2, 3))
    assert difference.abs().max() < 1


def test_shapes_are_the_same_for_the_same_seed_and_others_for_another():
    first, again, other = (Shapes(n_images=50, seed=seed)(16, 3)["train"].images for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (33, 3), (128, 1)])
def test_shapes_come_at_any_size(size, channels):
    splits = Shapes(n_images=20)(size, channels)
    assert splits["train"].images.shape == (16, channels, size, size)
    assert splits["test"].labels.shape == (2, 6)


def test_a_square_of_known_factors_is_drawn_where_they_say():
    factors = torch.tensor([[0.0, 0.0, 0.25, 0.0, 0.5, 0.5]])  # square, red, upright, in the middle
    image = render(factors, size=40, channels=3)[0]
    red, background = image[:, 20, 20].tolist(), image[:, 2, 2].tolist()
    assert red == [230, 60, 60]
    assert background == [0, 0, 0]
    covered = image[0].float().sum() / 230
    assert covered.item() == pytest.approx((2 * 0.8 * 0.25 * 40) ** 2, rel=0.01)  # a side of 0.8 radii each way


def test_the_centre_of_mass_of_a_shape_follows_x_and_y():
    factors = torch.tensor([[2.0, 1.0, 0.2, 1.0, 0.3, 0.7]])
    mass = render(factors, size=64, channels=1)[0, 0].float()
    axis = (torch.arange(64) + 0.5) / 64
    assert ((mass.sum(0) * axis).sum() / mass.sum()).item() == pytest.approx(0.3, abs=0.01)
    assert ((mass.sum(1) * axis).sum() / mass.sum()).item() == pytest.approx(0.7, abs=0.01)


@pytest.mark.parametrize("name", options("data"))
@pytest.mark.parametrize(("size", "channels"), [(16, 1), (20, 3)])
def test_every_data_set_gives_uint8_images_of_the_shape_that_is_asked_for(name, size, channels, tmp_path, monkeypatch):
    lay_out = getattr(layouts, name, None)
    if lay_out is None and config(f"data={name}").data.source.get("_partial_"):
        pytest.skip(f"it reads files: lay a few of them out in a function {name} of tests/layouts.py")
    files = lay_out(tmp_path / "raw", monkeypatch) if lay_out else []
    shape = (f"data.size={size}", f"data.channels={channels}")
    datamodule = build(config(f"data={name}", "data.limit=4", f"paths.data_dir={tmp_path}", *shape, *files).data)
    for split in ("train", "val", "test"):
        images = datamodule.images(split)
        assert images.shape == (4, channels, size, size)
        assert images[:].dtype == torch.uint8
        assert images[:].max() > images[:].min()
        assert len(datamodule.splits[split].labels) == 4
