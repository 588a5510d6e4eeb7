"""Real images are described once, and never mistaken for others."""

import logging

import numpy as np
import pytest
import torch
from brightness import Brightness
from populations import population

from genlab.data import Digits
from genlab.data.arrays import ImageWriter, MappedImages
from genlab.metrics.reference import reference
from genlab.moments import symmetric_root


@pytest.fixture(scope="module")
def digits() -> torch.Tensor:
    return Digits()()["train"].images[:40]


def described_in(folder, images, encoder=None, keep=False):
    return reference(images, encoder or Brightness(), 7, torch.device("cpu"), folder, keep)


class Refuses(Brightness):
    """An encoder that must not be asked."""

    def __call__(self, images):
        raise AssertionError("the reference was described again")


def test_it_is_described_once_and_read_back_afterwards(digits, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    first = described_in(tmp_path, digits)
    assert "Describing the 40 reference images" in caplog.text
    again = described_in(tmp_path, digits, Refuses())
    assert len(again) == len(first) == 40
    assert torch.equal(again.moments.cov, first.moments.cov)
    assert again.energy == first.energy
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]


def test_the_root_of_the_covariance_is_kept_with_it(digits, tmp_path):
    described_in(tmp_path, digits)
    again = described_in(tmp_path, digits, Refuses())
    assert "root" in vars(again)
    torch.testing.assert_close(again.root, symmetric_root(again.moments.cov))


def test_features_are_kept_only_where_they_are_asked_for_and_read_through_a_map(digits, tmp_path):
    assert described_in(tmp_path, digits).features is None
    first = described_in(tmp_path, digits, keep=True)
    again = described_in(tmp_path, digits, Refuses(), keep=True)
    assert torch.equal(again.features, first.features)
    assert torch.equal(again.features, population(digits, Brightness(), keep=True).features)
    assert described_in(tmp_path, digits, Refuses()).features is None


def test_other_images_never_get_it(digits, tmp_path):
    first = described_in(tmp_path, digits)
    changed = digits.clone()
    changed[7, 0, 14, 14] ^= 1
    assert not torch.equal(first.moments.mean, described_in(tmp_path, changed).moments.mean)
    assert len(list(tmp_path.iterdir())) == 2


def test_mapped_images_are_known_by_the_fingerprint_of_their_cache(digits, tmp_path):
    with ImageWriter(tmp_path / "images.npy", (1, 28, 28)) as writer:
        writer.append(digits.numpy())
    kept = tmp_path / "kept"
    first = described_in(kept, MappedImages(tmp_path / "images.npy", "a"))
    described_in(kept, MappedImages(tmp_path / "images.npy", "a"), Refuses())
    described_in(kept, MappedImages(tmp_path / "images.npy", "b"))
    assert len(list(kept.iterdir())) == 2
    assert torch.equal(first.moments.cov, population(digits, Brightness(), 7).moments.cov)


@pytest.mark.parametrize("fact", ["name", "layer", "resize", "library"])
def test_an_encoder_that_differs_in_one_fact_never_gets_it(fact, digits, tmp_path):
    described_in(tmp_path, digits)
    encoder = Brightness()
    setattr(encoder, fact, "another")
    described_in(tmp_path, digits, encoder)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", [b"", b"PK half of an archive", "pickled"])
def test_a_damaged_or_pickled_file_is_described_again_and_runs_nothing(damage, digits, tmp_path, caplog):
    whole = described_in(tmp_path, digits)
    (path,) = tmp_path.iterdir()
    if damage == "pickled":
        np.savez(path, mean=np.array([print], dtype=object), scatter=1, root=1, energy=1, n=1)
    else:
        path.write_bytes(damage)
    again = described_in(tmp_path, digits)
    assert "can't be read" in caplog.text
    assert torch.equal(again.moments.cov, whole.moments.cov)
    described_in(tmp_path, digits, Refuses())


def test_features_that_have_lost_a_page_are_described_again(digits, tmp_path, caplog):
    first = described_in(tmp_path, digits, keep=True)
    (kept,) = tmp_path.glob("*_features.npy")
    with kept.open("r+b") as file:
        file.seek(-8, 2)
        file.write(bytes(8))
    again = described_in(tmp_path, digits, keep=True)
    assert "MiB 1 of 1): the reference is described again" in caplog.text
    assert torch.equal(again.features, first.features)
