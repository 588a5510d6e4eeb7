"""Parts of stored images: another one at each time in training, the central one in evaluation."""

import pytest
import torch
from settings import config

from genlab.config.build import build
from genlab.data.derived import Cropped, centre, random_parts
from genlab.errors import UsageError

FEW = (
    "data=shapes",
    "data.channels=3",
    "data.source.n_images=60",
    "data.size=16",
    "data.random_crop=20",
    "data.batch_size=16",
)


def datamodule(*overrides: str):
    module = build(config(*FEW, *overrides).data)
    module.setup()
    return module


def epoch(module, number: int) -> torch.Tensor:
    """All images of an epoch of training as the model gets them."""
    batches = module.train_dataloader()
    batches.batches.set_epoch(number)
    return torch.cat([module.on_after_batch_transfer(batch, 0)[0] for batch in batches])


def test_parts_are_cut_at_all_places_equally_often_and_at_one_of_its_own_from_each_image(generator):
    """Of 4 x 5 pixels there are 2 x 3 parts of 3 x 3, each as probable: 600 times of 3600, give or take 22."""
    image = torch.arange(20, dtype=torch.uint8).view(1, 1, 4, 5)
    both = torch.cat([image, 100 + image], 1).expand(3600, 2, 4, 5)
    parts = random_parts(both, 3, generator)
    assert parts.shape == (3600, 2, 3, 3)
    corner = parts[:, 0, 0, 0]
    expected = corner.view(-1, 1, 1) + torch.tensor([[0, 1, 2], [5, 6, 7], [10, 11, 12]], dtype=torch.uint8)
    assert torch.equal(parts[:, 0], expected)
    assert torch.equal(parts[:, 1], 100 + expected)  # the channels of an image stay together
    places, counts = corner.unique(return_counts=True)
    assert places.tolist() == [0, 1, 2, 5, 6, 7]
    assert (counts - 600).abs().max() < 5 * 22


def test_the_centre_of_an_odd_margin_lies_nearer_to_the_upper_left_corner():
    images = torch.arange(2 * 5 * 4, dtype=torch.uint8).view(2, 1, 5, 4)
    assert centre(images, 2)[0, 0].tolist() == [[5, 6], [9, 10]]
    cropped = Cropped(images, 2)
    assert cropped.shape == (2, 1, 2, 2)
    assert torch.equal(cropped[1:], centre(images, 2)[1:])


def test_training_shows_parts_of_the_stored_images_others_in_each_epoch_and_the_same_ones_in_each_run():
    module = datamodule()
    assert module.splits["train"].images.shape[2:] == (20, 20)
    first, same, later = epoch(module, 0), epoch(datamodule(), 0), epoch(module, 1)
    assert first.shape[1:] == (3, 16, 16)
    assert torch.equal(first, same)
    stored = module.splits["train"].images[:].unfold(2, 16, 1).unfold(3, 16, 1)  # (N, C, 5, 5, 16, 16): all parts
    parts = stored.permute(0, 2, 3, 1, 4, 5).flatten(0, 2) / 127.5 - 1
    distances = torch.cdist(
        torch.cat([first, later]).flatten(1), parts.flatten(1), compute_mode="donot_use_mm_for_euclid_dist"
    )
    assert distances.min(1).values.max() < 1e-3
    assert len(set((distances.argmin(1) % 25).tolist())) > 5  # of the 25 places


@pytest.mark.parametrize("loader", ["val_dataloader", "test_dataloader"])
def test_evaluation_shows_the_central_part(loader):
    module = datamodule()
    split = loader.partition("_")[0]
    expected = centre(module.splits[split].images[:], 16)
    shown = torch.cat([module.on_after_batch_transfer(batch, 0)[0] for batch in getattr(module, loader)()])
    assert torch.equal(module.images(split)[:], expected)
    torch.testing.assert_close(shown, expected / 127.5 - 1)
    assert module.images("train+val").shape[2:] == (16, 16)
    assert module.examples(split, 2).shape[2:] == (16, 16)


def test_scores_say_that_images_were_cut_and_are_of_other_images_than_without():
    assert datamodule().view["crop"] == "none, then the central 16 of 20"
    plain = build(config(*FEW, "data.random_crop=null").data)
    assert "crop" not in plain.view
    assert plain.fingerprint("val") != datamodule().fingerprint("val")


def test_stored_images_that_are_not_larger_than_their_parts_are_refused():
    with pytest.raises(UsageError, match=r"data\.random_crop=16 .* data\.size=16 .*type data\.random_crop=18"):
        datamodule("data.random_crop=16")
