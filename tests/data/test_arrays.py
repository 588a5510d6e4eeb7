"""Arrays of images on disk."""

from pathlib import Path

import numpy as np
import pytest
import torch

from genlab.data.arrays import ImageWriter, MappedImages


def written(path: Path, images: np.ndarray) -> MappedImages:
    with ImageWriter(path, images.shape[1:]) as writer:
        for part in np.array_split(images, 3):
            writer.append(part)
    return MappedImages(path, "some")


@pytest.mark.parametrize("large", [False, True])
def test_mapped_images_are_indexed_like_a_tensor(large, tmp_path, monkeypatch):
    if large:
        monkeypatch.setattr("genlab.data.arrays.SMALL", 1000)
    images = np.random.default_rng(0).integers(0, 256, (200, 3, 5, 7), dtype=np.uint8)
    mapped, tensor = written(tmp_path / "a.npy", images), torch.from_numpy(images)
    assert (len(mapped), mapped.shape) == (200, tensor.shape)
    for rows in (torch.tensor([3, 199, 0, 3]), torch.randperm(200), slice(None), slice(190, 300), slice(5, 60, 7)):
        assert torch.equal(mapped[rows], tensor[rows])


def test_what_is_gathered_can_be_written_to_without_touching_the_file(tmp_path):
    mapped = written(tmp_path / "a.npy", np.ones((4, 1, 2, 2), np.uint8))
    mapped[torch.tensor([0])].fill_(9)
    assert (mapped[:] == 1).all()


def resident() -> int:
    """Bytes of this process in memory."""
    fields = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    return int(fields["VmRSS"].split()[0]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's account of it")
def test_reading_a_large_file_leaves_little_of_it_in_memory(tmp_path):
    images = np.zeros((40_000, 3, 64, 64), np.uint8)
    mapped = written(tmp_path / "a.npy", images)
    del images
    before = resident()
    highest = before
    for rows in torch.randperm(40_000).split(128):
        mapped[rows]
        highest = max(highest, resident())
    assert highest - before < 150e6 < 491_520_000 == mapped.shape.numel()
