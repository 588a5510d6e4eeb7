"""Arrays of images on disk."""

from pathlib import Path

import numpy as np
import torch

from genlab.data.arrays import ImageWriter, MappedImages


def written(path: Path, images: np.ndarray) -> MappedImages:
    with ImageWriter(path, images.shape[1:]) as writer:
        for part in np.array_split(images, 3):
            writer.append(part)
    return MappedImages(path, "some")


def test_mapped_images_are_indexed_like_a_tensor(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (200, 3, 5, 7), dtype=np.uint8)
    mapped, tensor = written(tmp_path / "a.npy", images), torch.from_numpy(images)
    assert (len(mapped), mapped.shape) == (200, tensor.shape)
    for rows in (torch.tensor([3, 199, 0, 3]), torch.randperm(200), slice(None), slice(190, 300), slice(5, 60, 7)):
        assert torch.equal(mapped[rows], tensor[rows])


def test_what_is_gathered_can_be_written_to_without_touching_the_file(tmp_path):
    mapped = written(tmp_path / "a.npy", np.ones((4, 1, 2, 2), np.uint8))
    mapped[torch.tensor([0])].fill_(9)
    assert (mapped[:] == 1).all()
