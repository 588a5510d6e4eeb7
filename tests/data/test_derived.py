"""Images that follow from those that are stored."""

import pytest
import torch
from settings import config

from genlab.config.build import build
from genlab.data.arrays import fingerprint
from genlab.data.derived import Drawn, Joined


@pytest.fixture
def grey(generator):
    return torch.randint(0, 256, (20, 1, 16, 16), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("rows", [slice(None), slice(5, 9), slice(7, 99), torch.tensor([19, 0, 8, 7]), slice(3, 3)])
def test_joined_images_are_those_of_the_parts_one_after_the_other(rows, grey):
    joined = Joined(grey[:8], grey[8:])
    assert (len(joined), joined.shape) == (20, grey.shape)
    assert torch.equal(joined[rows], grey[rows])


def test_what_is_drawn_is_the_same_however_it_is_asked_for(grey):
    drawn = Drawn(grey, "train")
    assert set(drawn[:].unique().tolist()) == {0, 255}
    rows = torch.tensor([11, 2, 2])
    assert torch.equal(drawn[rows], drawn[:][rows])
    assert torch.equal(drawn[9:12], drawn[:][9:12])


def test_a_pixel_is_white_as_often_as_its_level_says():
    drawn = Drawn(torch.full((400, 1, 16, 16), 51, dtype=torch.uint8), "train")[:]
    assert (drawn == 255).float().mean().item() == pytest.approx(0.2, abs=0.005)  # 51 / 255; deviation 0.0013
    assert Drawn(torch.zeros(1, 1, 8, 8, dtype=torch.uint8), "")[:].sum() == 0
    assert Drawn(torch.full((1, 1, 8, 8), 255, dtype=torch.uint8), "")[:].min() == 255


def test_equal_rows_and_equal_images_of_other_splits_are_drawn_otherwise(grey):
    one = grey[:1].expand(2, -1, -1, -1)
    first, second = Drawn(one, "train")[:]
    assert not torch.equal(first, second)
    assert not torch.equal(first, Drawn(one, "test")[:1][0])


def test_fingerprints_tell_what_was_done(grey):
    marks = [grey, Drawn(grey, "train"), Drawn(grey, "val"), Joined(grey[:8], grey[8:]), Joined(grey[:9], grey[9:])]
    assert len({fingerprint(images) for images in marks}) == 5
    assert fingerprint(Drawn(grey, "train")) == fingerprint(Drawn(grey.clone(), "train"))


def test_the_splits_of_a_data_module_can_be_joined_with_their_labels():
    data = build(config("data.limit=30", "data.binarize=dynamic").data)
    images = data.images("train+val")
    assert len(images) == len(data.labels("train+val")) == 60
    assert torch.equal(images[:30], data.images("train")[:])
    assert torch.equal(images[30:], data.images("val")[:])
    assert torch.equal(data.labels("train+val")[30:], data.labels("val"))
    assert torch.equal(data.examples("val", 3), data.images("val")[torch.tensor([0, 10, 20])])
